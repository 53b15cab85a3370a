"""State, progress, result and cancellation of submitted tasks.

Celery reports an unknown task id and a queued task alike, as `PENDING`. Therefore each submission is stored in the
result backend before it is published: with the state `PENDING`, and the name of the task as the result.
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
from {{ cookiecutter.project_slug }}.stoppable_task import STOP, cancellation_id
from {{ cookiecutter.project_slug }}.submissions import (
    DEADLINE,
    RefusedError,
    Submission,
    call_in_background,
    call_with_deadline,
    publish,
)

IDEMPOTENCY = "A unique string. A repeated request with the same key returns the first task until its result expires."
"""The description of the header `Idempotency-Key` in OpenAPI."""


class Failure(BaseModel):
    """The exception of a task that failed or is retried."""

    type: str = Field(description="The class of the exception.")
    message: str = Field(description="The message of the exception.")


class TaskStatus(BaseModel):
    """The status of a submitted task."""

    id: uuid.UUID = Field(description="The id of the task.")
    task: str | None = Field(description="The name of the task.")
    state: str = Field(
        description="PENDING, STARTED, RETRY, SUCCESS, FAILURE, REVOKED (cancelled), or a custom state.",
        examples=["SUCCESS"],
    )
    result: Any = Field(None, description="The return value, if the state is SUCCESS.")
    error: Failure | None = Field(None, description="The exception, if the state is FAILURE or RETRY.")
    progress: Any = Field(None, description="The last progress that the running task reported.")

    @property
    def ended(self) -> bool:
        """Whether the state is final."""
        return self.state in states.READY_STATES


def submit(submission: Submission, client: str = "", idempotency_key: str | None = None) -> str:
    """Store a submission, publish its task, and return the task id.

    Args:
        submission: The submission.
        client: The name of the client. Each client has its own idempotency keys.
        idempotency_key: A later submission with the same key publishes no task, and returns the same id.

    Raises:
        UnavailableError: The broker or the result backend is unavailable. If the broker received the message but did
            not confirm it in time, the task runs, although its status is unknown.
        RefusedError: The key was used for another task, or an argument cannot be serialized.
    """
    task_id = str(uuid.uuid4())
    if idempotency_key:
        task_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{client}\n{idempotency_key}"))
        if earlier := read_status(task_id):
            if earlier.task not in (submission.task, None):
                raise RefusedError(409, f"The Idempotency-Key was used for the task {earlier.task}.")
            return task_id
    deadline = time.monotonic() + DEADLINE
    call_with_deadline(lambda: app.backend.store_result(task_id, {"task": submission.task}, states.PENDING), deadline)
    try:
        call_with_deadline(lambda: publish(submission, task_id, ignore_result=False), deadline)
    except Exception:
        call_in_background(lambda: app.backend.forget(task_id))
        raise
    return task_id


def read_status(task_id: str) -> TaskStatus | None:
    """Return the status of a task, or None if the task is unknown or its result has expired.

    Raises:
        UnavailableError: The result backend is unavailable.
    """
    meta = _read_meta(task_id)
    state, result, task = str(meta["status"]), meta["result"], meta.get("name")
    fields: dict[str, Any] = {}
    if state == states.PENDING:
        if not isinstance(result, dict) or "task" not in result:
            return None
        task = result["task"]
    elif state == states.REVOKED:
        # Celery stores no name for a task that is revoked before it starts.
        task = task or (_read_meta(cancellation_id(task_id))["result"] or {}).get("task")
    elif state == states.SUCCESS:
        fields["result"] = to_json(result)
    elif isinstance(result, BaseException):
        fields["error"] = Failure(type=type(result).__name__, message=to_json(result))
    elif state not in states.ALL_STATES:
        fields["progress"] = to_json(result)
    return TaskStatus(id=uuid.UUID(task_id), task=task, state=state, **fields)


def to_json(value: Any, levels: int = 100) -> Any:
    """Return a value in a form that JSON supports: NaN becomes null; dates and deeply nested values become strings."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict | list | tuple) and levels:
        if isinstance(value, dict):
            return {to_json(str(name)): to_json(item, levels - 1) for name, item in value.items()}
        return [to_json(item, levels - 1) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    try:
        text = str(value)
    except Exception:  # `__str__` of the value failed
        text = safe_repr(value)
    # A lone surrogate cannot be encoded as UTF-8.
    return text.encode("utf-8", "replace").decode()


def cancel(task: TaskStatus) -> None:
    """Cancel a task. A running task stops at its next call of `stop_if_cancelled()`.

    No process is killed, since it may already run another task.

    Raises:
        UnavailableError: The result backend is unavailable.
    """
    task_id = str(task.id)
    call_with_deadline(lambda: app.backend.store_result(cancellation_id(task_id), {"task": task.task}, STOP))
    if app.conf.worker_enable_remote_control:
        # Running workers discard the task. Workers that start later read the record above.
        call_in_background(lambda: app.control.revoke(task_id))


def _read_meta(task_id: str) -> dict[str, Any]:
    """Return the metadata of a task in the result backend. An unknown id has the status `PENDING`."""
    meta: dict[str, Any] = call_with_deadline(lambda: app.backend.get_task_meta(task_id, cache=False))
    return meta
