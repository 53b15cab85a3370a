"""A long task that reports its progress, and can be cancelled between two steps."""

import time
from typing import Annotated, Any

from celery import Task, shared_task
from pydantic import Field

from {{ cookiecutter.project_slug }}.stoppable_task import stop_if_cancelled


@shared_task(bind=True, ignore_result=False)
def count_down(self: Task[Any, Any], seconds: Annotated[int, Field(ge=1, le=60)]) -> str:
    """Count down to zero, one step per second."""
    for left in range(seconds, 0, -1):
        stop_if_cancelled(self)
        self.update_state(state="PROGRESS", meta={"left": left, "of": seconds})
        time.sleep(1)
    return "lift-off"
