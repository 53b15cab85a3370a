"""Endpoints that submit, show and cancel a task."""

import uuid
from typing import TYPE_CHECKING, Annotated

from django.http import HttpResponse
from django.urls import reverse
from ninja import Header, Router
from ninja.errors import HttpError

from {{ cookiecutter.project_slug }} import submissions, tracking
from {{ cookiecutter.project_slug }}.web.security import ApiRequest, require_permission

if TYPE_CHECKING:
    from {{ cookiecutter.project_slug }}.submissions import Submission
else:
    Submission = submissions.build_submission_type()

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
    """Publish a task to its queue. `Location` is the URL of the task."""
    require_permission(request, "web.submit_task")
    task_id = tracking.submit(submission, request.auth.get_username(), idempotency_key)
    response["Location"] = reverse("api:show", args=(task_id,))
    return submissions.Submitted(id=uuid.UUID(task_id))


@router.get("/{task_id}", response=tracking.TaskStatus, summary="Show a task")
def show(request: ApiRequest, task_id: uuid.UUID) -> tracking.TaskStatus:
    """Return the state of a task, its progress, and its result or error."""
    require_permission(request, "web.view_task")
    return find(task_id)


@router.delete("/{task_id}", response={202: tracking.TaskStatus}, summary="Cancel a task")
def cancel(request: ApiRequest, task_id: uuid.UUID) -> tracking.TaskStatus:
    """Cancel a task. A running task stops at its next call of `stop_if_cancelled()`.

    The state becomes REVOKED when a worker has processed the cancellation. Repeated requests are allowed.
    """
    require_permission(request, "web.cancel_task")
    task = find(task_id)
    if task.ended and task.state != "REVOKED":
        raise HttpError(409, f"The task has already ended: {task.state}.")
    tracking.cancel(task)
    return task


def find(task_id: uuid.UUID) -> tracking.TaskStatus:
    """Return the task with this id.

    Raises:
        HttpError: The task does not exist (404).
    """
    status = tracking.read_status(str(task_id))
    if status is None:
        raise HttpError(404, "The task does not exist, or its result has expired.")
    return status
