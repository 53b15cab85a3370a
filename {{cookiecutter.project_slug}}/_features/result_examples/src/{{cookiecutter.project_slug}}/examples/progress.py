"""Progress of a long task, kept with its result for whoever asks, and its end on request.

`revoke(terminate=True)` would kill a process that may by then be running another task. So a long task looks
from time to time whether it is to stop.
"""

from typing import Any

from celery import Task, shared_task
from celery.exceptions import Ignore

from {{ cookiecutter.project_slug }}.celery_app import app

STOP = "STOP"
"""The state of the record that says that a task is to stop."""


def ask_to_stop(task_id: str) -> None:
    """Ask a running task to stop, and one that has not started not to."""
    # A record of its own: the task's is overwritten whenever it reports progress.
    app.backend.store_result(f"{task_id}-stop", None, STOP)
    app.control.revoke(task_id)


def stop_if_asked(task: Task[Any, Any]) -> None:
    """End this task as REVOKED if somebody asked for it.

    Raises:
        celery.exceptions.Ignore: it is to stop; let it pass.
    """
    task_id = task.request.id
    if task_id and task.backend.get_task_meta(f"{task_id}-stop", cache=False)["status"] == STOP:
        task.backend.mark_as_revoked(task_id, "stopped on request", request=task.request)
        raise Ignore


@shared_task(bind=True, ignore_result=False)
def add_up(self: Task[Any, Any], numbers: list[int]) -> int:
    """The sum of many numbers; `AsyncResult.info` says meanwhile how many are done."""
    total = 0
    for done, number in enumerate(numbers, start=1):
        # Both cost a trip to the result backend: where steps are short, do it at each hundredth.
        stop_if_asked(self)
        total += number
        self.update_state(state="PROGRESS", meta={"done": done, "of": len(numbers)})
    return total
