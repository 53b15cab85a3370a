"""What beat sends, and when: the rows of the database, which people change in the admin."""

import json
from typing import ClassVar

from django.http import HttpRequest, JsonResponse
from django.urls import path
from django_celery_beat.models import PeriodicTask

from {{ cookiecutter.project_slug }}.web.views import ApiView


class Schedule(ApiView):
    """The periodic jobs that are enabled."""

    permissions: ClassVar = {"GET": "web.view_task"}

    def get(self, request: HttpRequest) -> JsonResponse:
        """List them."""
        jobs = [
            {
                "name": row.name,
                "task": row.task,
                "schedule": str(row.scheduler),
                "queue": row.queue,
                "args": json.loads(row.args),
                "kwargs": json.loads(row.kwargs),
                "expires": row.expire_seconds,
            }
            for row in PeriodicTask.objects.filter(enabled=True).order_by("name")
        ]
        return JsonResponse(jobs, safe=False)


urlpatterns = [path("schedule", Schedule.as_view(), name="schedule")]
