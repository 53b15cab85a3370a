"""What there is: the tasks that may be submitted, and the queues."""

from typing import ClassVar

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, JsonResponse
from django.urls import path

from {{ cookiecutter.project_slug }} import readiness, submissions
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.web.problems import ProblemError
from {{ cookiecutter.project_slug }}.web.views import ApiView

LARGEST = 64 * 1024
"""Bytes that a body may have: pass ids to a task, not what they stand for."""


class TaskList(ApiView):
    """The tasks that may be submitted."""

    permissions: ClassVar = {"GET": "web.view_task", "POST": "web.submit_task"}

    def get(self, request: HttpRequest) -> JsonResponse:
        """List them, with what they take."""
        tasks = [
            {
                "name": name,
                "description": (app.tasks[name].__doc__ or "").strip().partition("\n")[0],
                "queue": app.amqp.router.route({}, name)["queue"].name,
                "arguments": model.model_json_schema(),
            }
            for name, model in submissions.submittable().items()
        ]
        return JsonResponse(tasks, safe=False)


def read_submission(request: HttpRequest) -> submissions.Submission:
    """What a request submits.

    Raises:
        ProblemError: its body is not JSON, or too large.
        submissions.MalformedError, submissions.InvalidError: it is no submission.
    """
    if request.content_type != "application/json":
        raise ProblemError(415, "Send the body as application/json.")
    too_large = ProblemError(413, f"A body may have {LARGEST} bytes.")
    try:
        body = request.body
    except RequestDataTooBig:
        raise too_large from None
    if len(body) > LARGEST:
        raise too_large
    return submissions.read(body)


class Queues(ApiView):
    """The queues."""

    permissions: ClassVar = {"GET": "web.view_task"}

    def get(self, request: HttpRequest) -> JsonResponse:
        """List them, with how many tasks wait in each, and the workers that take from it."""
        waiting = submissions.promptly(readiness.waiting)
        workers = readiness.check().workers
        queues = [{"name": name, "waiting": waiting[name], "workers": workers.get(name, [])} for name in QueueName]
        return JsonResponse(queues, safe=False)


urlpatterns = [path("queues", Queues.as_view(), name="queues")]
