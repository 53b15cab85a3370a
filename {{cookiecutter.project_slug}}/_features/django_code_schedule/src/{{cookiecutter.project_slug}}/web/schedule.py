"""What beat sends, and when."""

from typing import ClassVar

from django.http import HttpRequest, JsonResponse
from django.urls import path

from {{ cookiecutter.project_slug }}.schedule import BEAT_SCHEDULE
from {{ cookiecutter.project_slug }}.web.views import ApiView


class Schedule(ApiView):
    """The periodic jobs."""

    permissions: ClassVar = {"GET": "web.view_task"}

    def get(self, request: HttpRequest) -> JsonResponse:
        """List them."""
        jobs = [
            {
                "name": name,
                "task": job["task"],
                "queue": job["options"]["queue"],
                "args": job.get("args", []),
                "kwargs": job.get("kwargs", {}),
                "expires": job["options"]["expires"],
            }
            for name, job in BEAT_SCHEDULE.items()
        ]
        return JsonResponse(jobs, safe=False)


urlpatterns = [path("schedule", Schedule.as_view(), name="schedule")]
