"""What becomes of a submitted task: its state, its progress, its result, and its end on request.

Celery cannot tell an id that it has never seen from a task that waits. So a submission is recorded, before it is
sent, where its result will be: as `PENDING`, with the name of its task. For `AsyncResult` that changes nothing.
"""

import base64
import math
import time
import uuid
from dataclasses import dataclass
from typing import Any

from celery import states
from kombu.utils.encoding import safe_repr

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.stoppable_task import STOP, stop_id
from {{ cookiecutter.project_slug }}.submissions import DEADLINE, Submission, in_background, promptly, publish


@dataclass(frozen=True)
class Status:
    """A submitted task, as it is now.

    Attributes:
        id: its id.
        task: its name.
        state: one of Celery's, or what the task itself calls its state ("PROGRESS").
        result: what it returned, once `state` is SUCCESS.
        error: the exception's `type` and `message`, while `state` is FAILURE or RETRY.
        progress: what the task said last of its progress, while it runs.
    """

    id: str
    task: str | None
    state: str
    result: Any = None
    error: dict[str, str] | None = None
    progress: Any = None

    @property
    def ended(self) -> bool:
        """Whether it will not change any more."""
        return self.state in states.READY_STATES


def submit(submission: Submission) -> str:
    """Record a submission, send its task, and return the id.

    Raises:
        UnavailableError: the broker or the result backend is; the task was not sent, or, if the broker took it
            without saying so, runs without anybody knowing its id.
        InvalidError: an argument has a type that messages do not know.
    """
    task_id = str(uuid.uuid4())
    until = time.monotonic() + DEADLINE
    promptly(lambda: app.backend.store_result(task_id, {"task": submission.task}, states.PENDING), until)
    try:
        promptly(lambda: publish(submission, task_id, ignore_result=False), until)
    except Exception:
        in_background(lambda: app.backend.forget(task_id))
        raise
    return task_id


def status(task_id: str) -> Status | None:
    """What has become of a task; None if it was never submitted, or so long ago that its result has expired.

    Raises:
        UnavailableError: the result backend is.
    """
    meta = _stored(task_id)
    state, result, task = str(meta["status"]), meta["result"], meta.get("name")
    if state == states.PENDING:
        return Status(task_id, result["task"], state) if isinstance(result, dict) and "task" in result else None
    if task is None and state == states.REVOKED:
        # Celery forgets the name of a task that it revokes before it starts.
        task = (_stored(stop_id(task_id))["result"] or {}).get("task")
    if state == states.SUCCESS:
        return Status(task_id, task, state, result=plain(result))
    if isinstance(result, BaseException):
        error = {"type": type(result).__name__, "message": plain(result)}
        return Status(task_id, task, state, error=None if state == states.REVOKED else error)
    return Status(task_id, task, state, progress=None if state in states.ALL_STATES else plain(result))


def plain(value: Any, levels: int = 100) -> Any:
    """A value that a task returned, as JSON has it: a date is a text, and so is whatever lies very deep; NaN is null."""
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
    # Half a character of UTF-16 is in some texts, and never in UTF-8.
    return text.encode("utf-8", "replace").decode()


def cancel(task: Status) -> None:
    """Ask that a task does not start, or if it runs, that it stops where it calls `stop_if_asked()`.

    No process is killed: it might already be running another task.

    Raises:
        UnavailableError: the result backend is.
    """
    promptly(lambda: app.backend.store_result(stop_id(task.id), {"task": task.task}, STOP))
    if app.conf.worker_enable_remote_control:
        # Saves running workers the look at that record; those that start later have only the record.
        in_background(lambda: app.control.revoke(task.id))


def _stored(task_id: str) -> dict[str, Any]:
    """What the result backend has under this id; of what it does not know it says `PENDING`, too."""
    meta: dict[str, Any] = promptly(lambda: app.backend.get_task_meta(task_id, cache=False))
    return meta
