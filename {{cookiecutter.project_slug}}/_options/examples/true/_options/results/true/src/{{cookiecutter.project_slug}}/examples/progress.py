"""Progress of a long task, kept with its result for whoever asks."""

from typing import Any

from celery import Task, shared_task


@shared_task(bind=True, ignore_result=False)
def add_up(self: Task[Any, Any], numbers: list[int]) -> int:
    """The sum of many numbers; `AsyncResult.info` says meanwhile how many are done."""
    total = 0
    for done, number in enumerate(numbers, start=1):
        total += number
        self.update_state(state="PROGRESS", meta={"done": done, "of": len(numbers)})
    return total
