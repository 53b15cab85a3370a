"""Submit a task, look at it, follow it, and cancel it."""

import time
import uuid
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Annotated

import anyio
from fastapi import APIRouter, Depends, Header, HTTPException, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent

from {{ cookiecutter.project_slug }} import submissions, tracking
from {{ cookiecutter.project_slug }}.api.problems import documented
from {{ cookiecutter.project_slug }}.api.security import require_key

if TYPE_CHECKING:
    from {{ cookiecutter.project_slug }}.submissions import Submission
else:
    Submission = submissions.any_submission()

INTERVAL = 0.5
"""Seconds between two readings of a task whose progress is streamed."""

LONGEST_STREAM = 600.0
"""Seconds after which a stream ends; browsers then reconnect."""

MOST_STREAMS = 100
"""Streams at the same time."""

router = APIRouter(prefix="/tasks", tags=["tasks"], dependencies=[Depends(require_key)])


def find(task_id: uuid.UUID) -> tracking.TaskStatus:
    """Return the task with this id.

    Raises:
        HTTPException: There is none; the status is 404.
    """
    status = tracking.status(str(task_id))
    if status is None:
        raise HTTPException(404, "No task was submitted under this id, or its result has expired.")
    return status


Task = Annotated[tracking.TaskStatus, Depends(find)]


@router.post(
    "",
    status_code=202,
    summary="Submit a task",
    responses={
        **documented(400, 401, 409, 422, 503),
        202: {"headers": {"Location": {"description": "The task's address.", "schema": {"type": "string"}}}},
    },
)
def submit(
    submission: Submission,
    response: Response,
    client: Annotated[str, Depends(require_key)],
    idempotency_key: Annotated[str | None, Header(max_length=200, description=tracking.IDEMPOTENCY)] = None,
) -> submissions.Submitted:
    """Send a task to its queue; `Location` is its address."""
    task_id = tracking.submit(submission, client, idempotency_key)
    response.headers["Location"] = router.url_path_for("show", task_id=task_id)
    return submissions.Submitted(id=uuid.UUID(task_id))


@router.get("/{task_id}", summary="Show a task", responses=documented(401, 404, 422, 503))
def show(task: Task) -> tracking.TaskStatus:
    """Return the state of a task, its progress, and its result or error."""
    return task


@router.delete("/{task_id}", status_code=202, summary="Cancel a task", responses=documented(401, 404, 409, 422, 503))
def cancel(task: Task) -> tracking.TaskStatus:
    """Keep a waiting task from starting; a running one stops where it calls `stop_if_asked()`.

    Its state is REVOKED once a worker has handled that. Cancelling twice is no error.
    """
    if task.ended and task.state != "REVOKED":
        raise HTTPException(409, f"The task has already ended: {task.state}.")
    tracking.cancel(task)
    return task


_streams = anyio.CapacityLimiter(MOST_STREAMS)


async def stream() -> AsyncIterator[None]:
    """Take one of the streams.

    Raises:
        UnavailableError: All are in use.
    """
    borrower = object()
    try:
        _streams.acquire_on_behalf_of_nowait(borrower)
    except anyio.WouldBlock:
        raise submissions.UnavailableError("too many streams") from None
    try:
        yield
    finally:
        _streams.release_on_behalf_of(borrower)


@router.get(
    "/{task_id}/events",
    summary="Follow a task",
    response_class=EventSourceResponse,
    response_description="Server-sent events: `status` at each change, and `end` with the last of them.",
    responses=documented(401, 404, 422, 503),
    dependencies=[Depends(stream)],
)
async def follow(task: Task) -> AsyncIterator[ServerSentEvent]:
    """Send a task at each of its changes, until it has ended; a comment every 15 seconds keeps the connection open."""
    until = time.monotonic() + LONGEST_STREAM
    sent: tracking.TaskStatus | None = None
    now: tracking.TaskStatus | None = task
    while now is not None:
        if now != sent:
            yield ServerSentEvent(event="end" if now.ended else "status", data=now)
            sent = now
        if now.ended or time.monotonic() > until:
            return
        await anyio.sleep(INTERVAL)
        try:
            now = await run_in_threadpool(tracking.status, str(task.id))
        except submissions.UnavailableError:
            continue
