"""A rate limit for a batch of tasks, on all workers together, by a countdown.

Celery's `rate_limit` applies to each worker and delays all other tasks of the queue, because tasks that exceed the rate
occupy the worker's prefetch. A task with a `rate_limit` needs a separate queue, whose worker has a concurrency of 1.
"""

from collections.abc import Sequence

import structlog
from celery import shared_task

TASKS_PER_SECOND = 5

log = structlog.get_logger(__name__)


@shared_task
def notify(recipient: str, *, urgent: bool = False) -> None:
    """Simulate a call to a service with a rate limit. An urgent call uses another queue; see `routing.py`."""
    log.info("recipient notified", recipient=recipient, urgent=urgent)


def notify_all(recipients: Sequence[str]) -> list[str]:
    """Notify the recipients, at most `TASKS_PER_SECOND` per second, and return the ids of the tasks."""
    return [
        notify.apply_async((recipient,), countdown=number // TASKS_PER_SECOND).id
        for number, recipient in enumerate(recipients)
    ]
