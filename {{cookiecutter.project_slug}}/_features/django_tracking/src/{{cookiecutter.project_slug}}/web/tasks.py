"""Submit a task, look at it, and cancel it."""

import uuid
from dataclasses import asdict
from typing import ClassVar

from django.http import HttpRequest, JsonResponse
from django.urls import path, reverse

from {{ cookiecutter.project_slug }} import tracking
from {{ cookiecutter.project_slug }}.web.overview import TaskList, read_submission
from {{ cookiecutter.project_slug }}.web.problems import ProblemError
from {{ cookiecutter.project_slug }}.web.views import ApiView


class Tasks(TaskList):
    """The tasks that may be submitted, and where."""

    def post(self, request: HttpRequest) -> JsonResponse:
        """Let a worker run a task with these arguments; `Location` is where to look at it."""
        task_id = tracking.submit(read_submission(request))
        location = reverse("web:task", args=(task_id,))
        return JsonResponse({"id": task_id}, status=202, headers={"Location": location})


class Task(ApiView):
    """A task that was submitted."""

    permissions: ClassVar = {"GET": "web.view_task", "DELETE": "web.cancel_task"}

    def get(self, request: HttpRequest, task_id: uuid.UUID) -> JsonResponse:
        """Its state, its progress, and its result or error."""
        return JsonResponse(asdict(find(task_id)))

    def delete(self, request: HttpRequest, task_id: uuid.UUID) -> JsonResponse:
        """Keep it from starting, or if it runs, let it stop where it looks at whether it should.

        Its state is REVOKED as soon as a worker has seen to it. Cancelling twice is no mistake.
        """
        task = find(task_id)
        if task.ended and task.state != "REVOKED":
            raise ProblemError(409, f"The task has already ended: {task.state}.")
        tracking.cancel(task)
        return JsonResponse(asdict(task), status=202)


def find(task_id: uuid.UUID) -> tracking.Status:
    """The task of this id.

    Raises:
        ProblemError: there is none.
    """
    status = tracking.status(str(task_id))
    if status is None:
        raise ProblemError(404, "No task was submitted under this id, or its result has expired.")
    return status


urlpatterns = [
    path("tasks", Tasks.as_view(), name="tasks"),
    path("tasks/<uuid:task_id>", Task.as_view(), name="task"),
]
