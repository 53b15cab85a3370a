"""Endpoints that submit, show, follow and cancel a task."""

import time
import uuid
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated

import anyio
from fastapi import APIRouter, Depends, Header, HTTPException, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from {{ cookiecutter.project_slug }} import submissions, tracking
from {{ cookiecutter.project_slug }}.api.problems import error_responses
from {{ cookiecutter.project_slug }}.api.security import require_key

if TYPE_CHECKING:
    from {{ cookiecutter.project_slug }}.submissions import Submission
else:
    Submission = submissions.build_submission_type()

POLL_INTERVAL = 0.5
"""Seconds between two reads of a task's status for a stream."""

MAX_STREAM_SECONDS = 600.0
"""The maximum duration of a stream. Browsers reconnect after it."""

MAX_STREAMS = 100
"""The maximum number of concurrent streams."""

router = APIRouter(prefix="/tasks", tags=["tasks"], dependencies=[Depends(require_key)])


def find(task_id: uuid.UUID) -> tracking.TaskStatus:
    """Return the task with this id.

    Raises:
        HTTPException: The task does not exist (404).
    """
    status = tracking.read_status(str(task_id))
    if status is None:
        raise HTTPException(404, "The task does not exist, or its result has expired.")
    return status


Task = Annotated[tracking.TaskStatus, Depends(find)]


@router.post(
    "",
    status_code=202,
    summary="Submit a task",
    responses={
        **error_responses(400, 401, 409, 422, 503),
        202: {"headers": {"Location": {"description": "The URL of the task.", "schema": {"type": "string"}}}},
    },
)
def submit(
    submission: Submission,
    response: Response,
    client: Annotated[str, Depends(require_key)],
    idempotency_key: Annotated[str | None, Header(max_length=200, description=tracking.IDEMPOTENCY)] = None,
) -> submissions.Submitted:
    """Publish a task to its queue. `Location` is the URL of the task."""
    task_id = tracking.submit(submission, client, idempotency_key)
    response.headers["Location"] = router.url_path_for("show", task_id=task_id)
    return submissions.Submitted(id=uuid.UUID(task_id))


@router.get("/{task_id}", summary="Show a task", responses=error_responses(401, 404, 422, 503))
def show(task: Task) -> tracking.TaskStatus:
    """Return the state of a task, its progress, and its result or error."""
    return task


@router.delete(
    "/{task_id}", status_code=202, summary="Cancel a task", responses=error_responses(401, 404, 409, 422, 503)
)
def cancel(task: Task) -> tracking.TaskStatus:
    """Cancel a task. A running task stops at its next call of `stop_if_cancelled()`.

    The state becomes REVOKED when a worker has processed the cancellation. Repeated requests are allowed.
    """
    if task.ended and task.state != "REVOKED":
        raise HTTPException(409, f"The task has already ended: {task.state}.")
    tracking.cancel(task)
    return task


_streams = anyio.CapacityLimiter(MAX_STREAMS)


async def limit_streams() -> AsyncIterator[None]:
    """Limit the number of concurrent streams.

    Raises:
        UnavailableError: The limit is reached.
    """
    borrower = object()
    try:
        _streams.acquire_on_behalf_of_nowait(borrower)
    except anyio.WouldBlock:
        raise submissions.UnavailableError("too many concurrent streams") from None
    try:
        yield
    finally:
        _streams.release_on_behalf_of(borrower)


@router.get(
    "/{task_id}/events",
    summary="Follow a task",
    response_class=EventSourceResponse,
    response_description="Server-sent events: `status` for each change, and `end` for the final state.",
    responses=error_responses(401, 404, 422, 503),
    dependencies=[Depends(limit_streams)],
)
async def follow(task: Task) -> AsyncIterator[ServerSentEvent]:
    """Stream the status of a task until it ends. A comment every 15 seconds keeps the connection open."""
    deadline = time.monotonic() + MAX_STREAM_SECONDS
    sent: tracking.TaskStatus | None = None
    now: tracking.TaskStatus | None = task
    while now is not None:
        if now != sent:
            yield ServerSentEvent(event="end" if now.ended else "status", data=now)
            sent = now
        if now.ended or time.monotonic() > deadline:
            return
        await anyio.sleep(POLL_INTERVAL)
        try:
            now = await run_in_threadpool(tracking.read_status, str(task.id))
        except submissions.UnavailableError:
            continue
