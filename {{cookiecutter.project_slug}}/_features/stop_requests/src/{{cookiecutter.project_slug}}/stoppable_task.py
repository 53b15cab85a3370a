"""The task class of the application: `BaseTask` with cancellation, without killing a process."""

from typing import Any

import structlog
from celery import Task
from celery.exceptions import Ignore

from {{ cookiecutter.project_slug }}.base_task import BaseTask

STOP = "STOP"
"""The state of the record that marks a task as cancelled."""

log = structlog.get_logger(__name__)


class TaskCancelled(Ignore):
    """The exception that ends a cancelled task, with the state REVOKED."""


def cancellation_id(task_id: str) -> str:
    """Return the id of the record that marks a task as cancelled."""
    return f"{task_id}-stop"


def stop_if_cancelled(task: Task[Any, Any]) -> None:
    """Stop the task, with the state REVOKED, if it was cancelled. Call this between the steps of a long task.

    Raises:
        TaskCancelled: The task was cancelled. Do not catch this exception.
    """
    request = task.request
    if not request.id or request.is_eager or request.ignore_result:
        return
    try:
        cancelled = task.backend.get_task_meta(cancellation_id(request.id), cache=False)["status"] == STOP
    except Exception:  # an outage of the result backend must not stop the task
        log.warning("cancellation check failed", exc_info=True)
        return
    if cancelled:
        task.backend.mark_as_revoked(request.id, "stopped on request", request=request)
        log.info("task cancelled")
        raise TaskCancelled


class StoppableTask(BaseTask):
    """A task that does not start if it was cancelled."""

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        """Stop a cancelled task before it starts. Celery calls this method in the worker."""
        stop_if_cancelled(self)
        super().before_start(task_id, args, kwargs)
