"""A rate limit: the worker starts no more of these than that, and holds back the others."""

import structlog
from celery import shared_task

log = structlog.get_logger(__name__)


@shared_task(rate_limit="5/s")  # in each worker: two workers start ten a second
def notify(recipient: str, *, urgent: bool = False) -> None:
    """Stands in for a call to a service that allows only so many; an urgent one takes another queue (routing.py)."""
    log.info("is notified", recipient=recipient, urgent=urgent)
