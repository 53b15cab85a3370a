"""Progress and cancellation of a long task.

`revoke(terminate=True)` kills a process, which may already run another task. Therefore, a long task checks
periodically whether it was cancelled.
"""

from typing import Any

from celery import Task, shared_task

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.stoppable_task import STOP, cancellation_id, stop_if_cancelled


def cancel(task_id: str) -> None:
    """Cancel a task, whether it is queued or running."""
    # A separate record, since progress reports overwrite the record of the task.
    app.backend.store_result(cancellation_id(task_id), None, STOP)
    app.control.revoke(task_id)


@shared_task(bind=True, ignore_result=False)
def add_up(self: Task[Any, Any], numbers: list[int]) -> int:
    """Return the sum of the numbers. `AsyncResult.info` has the progress."""
    total = 0
    for done, number in enumerate(numbers, start=1):
        # Both calls access the result backend. If steps are short, do this every hundredth step.
        stop_if_cancelled(self)
        total += number
        self.update_state(state="PROGRESS", meta={"done": done, "of": len(numbers)})
    return total
