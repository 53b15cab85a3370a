"""The class of every task of this project: one that does not start when somebody asked for its end."""

from typing import Any

import structlog
from celery import Task
from celery.exceptions import Ignore

from {{ cookiecutter.project_slug }}.base_task import BaseTask

STOP = "STOP"
"""The state of the record that says that a task shall stop."""

log = structlog.get_logger(__name__)


class TaskCancelled(Ignore):
    """The end of a task that was cancelled; its state is REVOKED."""


def stop_id(task_id: str) -> str:
    """Under what id the result backend keeps that record of a task."""
    return f"{task_id}-stop"


def stop_if_asked(task: Task[Any, Any]) -> None:
    """Call this between the steps of a long task: it ends here, as REVOKED, if somebody asked for it.

    Raises:
        TaskCancelled: it shall stop; let it pass.
    """
    request = task.request
    if not request.id or request.is_eager or request.ignore_result:
        return
    try:
        asked = task.backend.get_task_meta(stop_id(request.id), cache=False)["status"] == STOP
    except Exception:  # a result backend that is away is no reason to lose a task
        log.warning("cannot see whether to stop", exc_info=True)
        return
    if asked:
        task.backend.mark_as_revoked(request.id, "stopped on request", request=request)
        log.info("task cancelled")
        raise TaskCancelled


class StoppableTask(BaseTask):
    """A task that looks, before it starts, whether somebody asked for its end."""

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        """Celery calls this in the worker, just before the task."""
        stop_if_asked(self)
        super().before_start(task_id, args, kwargs)
