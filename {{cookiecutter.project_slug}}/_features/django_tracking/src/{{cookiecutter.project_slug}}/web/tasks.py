"""Submit a task, look at it, and cancel it."""

import uuid
from typing import TYPE_CHECKING, Annotated

from django.http import HttpResponse
from django.urls import reverse
from ninja import Header, Router
from ninja.errors import HttpError

from {{ cookiecutter.project_slug }} import submissions, tracking
from {{ cookiecutter.project_slug }}.web.security import ApiRequest, require

if TYPE_CHECKING:
    from {{ cookiecutter.project_slug }}.submissions import Submission
else:
    Submission = submissions.any_submission()

router = Router(tags=["tasks"])


@router.post("", response={202: submissions.Submitted}, summary="Submit a task")
def submit(
    request: ApiRequest,
    response: HttpResponse,
    submission: Submission,
    idempotency_key: Annotated[
        str | None, Header(alias="Idempotency-Key", max_length=200, description=tracking.IDEMPOTENCY)
    ] = None,
) -> submissions.Submitted:
    """Send a task to its queue; `Location` is its address."""
    require(request, "web.submit_task")
    task_id = tracking.submit(submission, request.auth.get_username(), idempotency_key)
    response["Location"] = reverse("api:show", args=(task_id,))
    return submissions.Submitted(id=uuid.UUID(task_id))


@router.get("/{task_id}", response=tracking.TaskStatus, summary="Show a task")
def show(request: ApiRequest, task_id: uuid.UUID) -> tracking.TaskStatus:
    """Return the state of a task, its progress, and its result or error."""
    require(request, "web.view_task")
    return find(task_id)


@router.delete("/{task_id}", response={202: tracking.TaskStatus}, summary="Cancel a task")
def cancel(request: ApiRequest, task_id: uuid.UUID) -> tracking.TaskStatus:
    """Keep a waiting task from starting; a running one stops where it calls `stop_if_asked()`.

    Its state is REVOKED once a worker has handled that. Cancelling twice is no error.
    """
    require(request, "web.cancel_task")
    task = find(task_id)
    if task.ended and task.state != "REVOKED":
        raise HttpError(409, f"The task has already ended: {task.state}.")
    tracking.cancel(task)
    return task


def find(task_id: uuid.UUID) -> tracking.TaskStatus:
    """Return the task with this id.

    Raises:
        HttpError: There is none; the status is 404.
    """
    status = tracking.status(str(task_id))
    if status is None:
        raise HttpError(404, "No task was submitted under this id, or its result has expired.")
    return status
