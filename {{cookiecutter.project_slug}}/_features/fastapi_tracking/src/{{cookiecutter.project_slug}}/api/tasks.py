"""Submit a task, look at it, follow it, and cancel it."""

import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any

import anyio
from fastapi import APIRouter, Depends, HTTPException, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import EventSourceResponse, ServerSentEvent
from pydantic import BaseModel, Field

from {{ cookiecutter.project_slug }} import submissions, tracking
from {{ cookiecutter.project_slug }}.api.bodies import json_body
from {{ cookiecutter.project_slug }}.api.problems import documented
from {{ cookiecutter.project_slug }}.api.security import require_key

INTERVAL = 0.5
"""Seconds between two looks at a task whose progress is streamed."""

LONGEST_STREAM = 600.0
"""Seconds after which a stream ends, whatever the task does; browsers then ask again."""

MOST_STREAMS = 100
"""Streams at the same time."""

router = APIRouter(prefix="/tasks", tags=["tasks"], dependencies=[Depends(require_key)])


class Submitted(BaseModel):
    """A task that will run."""

    id: uuid.UUID = Field(description="Its id, to ask for it by.")


class Failure(BaseModel):
    """Why a task failed."""

    type: str = Field(description="The exception's class.")
    message: str = Field(description="Its text.")


class TaskStatus(BaseModel):
    """A task, as it is now."""

    id: uuid.UUID = Field(description="Its id.")
    task: str | None = Field(description="Its name.")
    state: str = Field(
        description="PENDING, STARTED, RETRY, SUCCESS, FAILURE, REVOKED (cancelled), or what the task itself calls it.",
        examples=["SUCCESS"],
    )
    result: Any = Field(description="What it returned, if it succeeded.")
    error: Failure | None = Field(description="Why it failed, or is to be retried.")
    progress: Any = Field(description="What it said last of its progress, while it runs.")


def find(task_id: uuid.UUID) -> tracking.Status:
    """The task of this id.

    Raises:
        HTTPException: there is none; the status is 404.
    """
    status = tracking.status(str(task_id))
    if status is None:
        raise HTTPException(404, "No task was submitted under this id, or its result has expired.")
    return status


Task = Annotated[tracking.Status, Depends(find)]


@router.post(
    "",
    status_code=202,
    summary="Submit a task",
    response_description="The task is on its way; `Location` is where to look at it.",
    responses={
        **documented(400, 401, 408, 413, 415, 422, 503),
        202: {"headers": {"Location": {"description": "Where to look at it.", "schema": {"type": "string"}}}},
    },
)
def submit(body: Annotated[bytes, Depends(json_body)], response: Response) -> Submitted:
    """Let a worker run a task with these arguments; `GET /tasks` says which tasks and arguments there are."""
    task_id = tracking.submit(submissions.read(body))
    response.headers["Location"] = router.url_path_for("show", task_id=task_id)
    return Submitted(id=uuid.UUID(task_id))


@router.get("/{task_id}", summary="Look at a task", responses=documented(401, 404, 422, 503))
def show(task: Task) -> TaskStatus:
    """The state of a task, its progress, and its result or error."""
    return TaskStatus(**asdict(task))


@router.delete("/{task_id}", status_code=202, summary="Cancel a task", responses=documented(401, 404, 409, 422, 503))
def cancel(task: Task) -> TaskStatus:
    """Keep a task that waits from starting; one that runs stops where it looks at whether it should.

    Its state is REVOKED as soon as a worker has seen to it. Cancelling twice is no mistake.
    """
    if task.ended and task.state != "REVOKED":
        raise HTTPException(409, f"The task has already ended: {task.state}.")
    tracking.cancel(task)
    return TaskStatus(**asdict(task))


_streams = anyio.CapacityLimiter(MOST_STREAMS)


async def stream() -> AsyncIterator[None]:
    """A place for one more stream.

    Raises:
        UnavailableError: there are too many.
    """
    me = object()
    try:
        _streams.acquire_on_behalf_of_nowait(me)
    except anyio.WouldBlock:
        raise submissions.UnavailableError("too many streams") from None
    try:
        yield
    finally:
        _streams.release_on_behalf_of(me)


@router.get(
    "/{task_id}/events",
    summary="Follow a task",
    response_class=EventSourceResponse,
    response_description="Server-sent events: `status` at each change, and `end` with the last of them.",
    responses=documented(401, 404, 422, 503),
    dependencies=[Depends(stream)],
)
async def follow(task: Task) -> AsyncIterator[ServerSentEvent]:
    """A task at each of its changes, until it has ended; a comment every 15 seconds keeps the connection open."""
    until = time.monotonic() + LONGEST_STREAM
    seen: tracking.Status | None = None
    now: tracking.Status | None = task
    while now is not None:
        if now != seen:
            yield ServerSentEvent(event="end" if now.ended else "status", data=TaskStatus(**asdict(now)))
            seen = now
        if now.ended or time.monotonic() > until:
            return
        await anyio.sleep(INTERVAL)
        try:
            now = await run_in_threadpool(tracking.status, task.id)
        except submissions.UnavailableError:
            continue
