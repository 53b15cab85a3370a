"""Submit a task. No result backend is there to ask what became of it."""

import uuid

from django.http import HttpRequest, JsonResponse
from django.urls import path

from {{ cookiecutter.project_slug }} import submissions
from {{ cookiecutter.project_slug }}.web.overview import TaskList, read_submission


class Tasks(TaskList):
    """The tasks that may be submitted, and where."""

    def post(self, request: HttpRequest) -> JsonResponse:
        """Let a worker run a task with these arguments; look for its id in the logs."""
        task_id = str(uuid.uuid4())
        submission = read_submission(request)
        submissions.promptly(lambda: submissions.publish(submission, task_id))
        return JsonResponse({"id": task_id}, status=202)


urlpatterns = [path("tasks", Tasks.as_view(), name="tasks")]
