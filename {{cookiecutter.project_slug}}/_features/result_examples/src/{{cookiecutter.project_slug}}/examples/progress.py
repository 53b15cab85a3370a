"""Progress of a long task, kept with its result for whoever asks, and its end on request.

`revoke(terminate=True)` would kill a process that may by then be running another task. So a long task looks
from time to time whether it is to stop.
"""

from typing import Any

from celery import Task, shared_task

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.stoppable_task import STOP, cancellation_id, stop_if_cancelled


def ask_to_stop(task_id: str) -> None:
    """Ask a running task to stop, and one that has not started not to."""
    # A record of its own: the task's is overwritten whenever it reports progress.
    app.backend.store_result(cancellation_id(task_id), None, STOP)
    app.control.revoke(task_id)


@shared_task(bind=True, ignore_result=False)
def add_up(self: Task[Any, Any], numbers: list[int]) -> int:
    """The sum of many numbers; `AsyncResult.info` says meanwhile how many are done."""
    total = 0
    for done, number in enumerate(numbers, start=1):
        # Both cost a trip to the result backend: where steps are short, do it at each hundredth.
        stop_if_cancelled(self)
        total += number
        self.update_state(state="PROGRESS", meta={"done": done, "of": len(numbers)})
    return total
