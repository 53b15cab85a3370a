"""Submitted tasks: their state, progress and result, and their cancellation.

Celery cannot distinguish an unknown id from a task that waits. So a submission is recorded in the result backend
before it is sent: as `PENDING`, with the name of its task. `AsyncResult` reads that as it reads an unknown id.
"""

import base64
import math
import time
import uuid
from typing import Any

from celery import states
from kombu.utils.encoding import safe_repr
from pydantic import BaseModel, Field

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.stoppable_task import STOP, stop_id
from {{ cookiecutter.project_slug }}.submissions import (
    DEADLINE,
    RefusedError,
    Submission,
    in_background,
    promptly,
    publish,
)

IDEMPOTENCY = "A text of your choice: a second submission with it sends no second task, as long as the result is kept."
"""The description of the header `Idempotency-Key`."""


class Failure(BaseModel):
    """Why a task failed, or is retried."""

    type: str = Field(description="The exception's class.")
    message: str = Field(description="The exception's text.")


class TaskStatus(BaseModel):
    """A submitted task."""

    id: uuid.UUID = Field(description="The task's id.")
    task: str | None = Field(description="The task's name.")
    state: str = Field(
        description="PENDING, STARTED, RETRY, SUCCESS, FAILURE, REVOKED (cancelled), or a state of the task's own.",
        examples=["SUCCESS"],
    )
    result: Any = Field(None, description="The return value, if the state is SUCCESS.")
    error: Failure | None = Field(None, description="The exception, if the state is FAILURE or RETRY.")
    progress: Any = Field(None, description="The last progress that the task reported, while it runs.")

    @property
    def ended(self) -> bool:
        """Whether the state is final."""
        return self.state in states.READY_STATES


def submit(submission: Submission, client: str = "", idempotency_key: str | None = None) -> str:
    """Record a submission, send its task, and return the id.

    Args:
        submission: The submission.
        client: The name of the client; each has its own idempotency keys.
        idempotency_key: Identifies the submission: a later one with this key sends nothing and returns the same id.

    Raises:
        UnavailableError: The broker or the result backend is unavailable; the task was not sent, or, if the broker
            accepted it without an answer, runs without a record.
        RefusedError: The key belongs to a submission of another task, or a message cannot carry an argument.
    """
    task_id = str(uuid.uuid4())
    if idempotency_key:
        task_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{client}\n{idempotency_key}"))
        if earlier := status(task_id):
            if earlier.task not in (submission.task, None):
                raise RefusedError(409, f"The Idempotency-Key belongs to a submission of {earlier.task}.")
            return task_id
    until = time.monotonic() + DEADLINE
    promptly(lambda: app.backend.store_result(task_id, {"task": submission.task}, states.PENDING), until)
    try:
        promptly(lambda: publish(submission, task_id, ignore_result=False), until)
    except Exception:
        in_background(lambda: app.backend.forget(task_id))
        raise
    return task_id


def status(task_id: str) -> TaskStatus | None:
    """Return a task, or None if it was never submitted or its result has expired.

    Raises:
        UnavailableError: The result backend is unavailable.
    """
    meta = _stored(task_id)
    state, result, task = str(meta["status"]), meta["result"], meta.get("name")
    found: dict[str, Any] = {}
    if state == states.PENDING:
        if not isinstance(result, dict) or "task" not in result:
            return None
        task = result["task"]
    elif state == states.REVOKED:
        # Celery does not store the name of a task that it revokes before it starts.
        task = task or (_stored(stop_id(task_id))["result"] or {}).get("task")
    elif state == states.SUCCESS:
        found["result"] = plain(result)
    elif isinstance(result, BaseException):
        found["error"] = Failure(type=type(result).__name__, message=plain(result))
    elif state not in states.ALL_STATES:
        found["progress"] = plain(result)
    return TaskStatus(id=uuid.UUID(task_id), task=task, state=state, **found)


def plain(value: Any, levels: int = 100) -> Any:
    """Return a task's return value as JSON: dates and deeply nested values become strings, NaN becomes null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict | list | tuple) and levels:
        if isinstance(value, dict):
            return {plain(str(name)): plain(item, levels - 1) for name, item in value.items()}
        return [plain(item, levels - 1) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    try:
        text = str(value)
    except Exception:  # some exceptions' own code fails
        text = safe_repr(value)
    # A lone surrogate cannot be encoded as UTF-8.
    return text.encode("utf-8", "replace").decode()


def cancel(task: TaskStatus) -> None:
    """Keep a task from starting; if it runs, it stops where it calls `stop_if_asked()`.

    No process is killed: it may already run another task.

    Raises:
        UnavailableError: The result backend is unavailable.
    """
    task_id = str(task.id)
    promptly(lambda: app.backend.store_result(stop_id(task_id), {"task": task.task}, STOP))
    if app.conf.worker_enable_remote_control:
        # Running workers then need not read the record; those that start later have only the record.
        in_background(lambda: app.control.revoke(task_id))


def _stored(task_id: str) -> dict[str, Any]:
    """Return what the result backend has under this id; for an unknown id the status is `PENDING`, too."""
    meta: dict[str, Any] = promptly(lambda: app.backend.get_task_meta(task_id, cache=False))
    return meta
