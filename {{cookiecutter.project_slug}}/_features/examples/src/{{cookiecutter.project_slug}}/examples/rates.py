"""At most five tasks of a batch in a second, for all workers together: they become due one after the other.

Celery's own `rate_limit` holds for each worker, and delays every other task of the queue: tasks that wait for their turn
keep the worker's processes. A task that has one needs a queue to itself, with a worker of concurrency 1.
"""

from collections.abc import Sequence

import structlog
from celery import shared_task

PER_SECOND = 5

log = structlog.get_logger(__name__)


@shared_task
def notify(recipient: str, *, urgent: bool = False) -> None:
    """Stands in for a call to a service that allows only so many; an urgent one takes another queue (routing.py)."""
    log.info("is notified", recipient=recipient, urgent=urgent)


def notify_all(recipients: Sequence[str]) -> list[str]:
    """Notify these, `PER_SECOND` of them in each second; return the tasks' ids."""
    return [notify.apply_async((name,), countdown=place // PER_SECOND).id for place, name in enumerate(recipients)]
