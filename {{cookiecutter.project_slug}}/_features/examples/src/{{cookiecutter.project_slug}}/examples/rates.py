"""Limit the rate of a batch, for all workers together: its tasks have a countdown.

Celery's `rate_limit` applies to each worker and delays all other tasks of the queue, because tasks that exceed the rate
occupy the worker's prefetch. A task with a `rate_limit` needs a separate queue, whose worker has a concurrency of 1.
"""

from collections.abc import Sequence

import structlog
from celery import shared_task

PER_SECOND = 5

log = structlog.get_logger(__name__)


@shared_task
def notify(recipient: str, *, urgent: bool = False) -> None:
    """Call a service that limits the rate of requests. Urgent calls use another queue, see routing.py."""
    log.info("is notified", recipient=recipient, urgent=urgent)


def notify_all(recipients: Sequence[str]) -> list[str]:
    """Notify the recipients, `PER_SECOND` in each second; return the ids of the tasks."""
    return [notify.apply_async((name,), countdown=place // PER_SECOND).id for place, name in enumerate(recipients)]
