"""Idempotency keys for tasks that may be delivered more than once.

The broker redelivers a task if its worker is lost, and a client may publish it twice. "Set the balance to 5" is
idempotent, but "add 5" is not: such work needs a key that records whether it was done.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from celery import Task, shared_task

from {{ cookiecutter.project_slug }}.examples.store import PREFIX, exclusive_lock, store

KEY_TTL = 86400
"""Seconds (one day) until a key expires. It must be longer than clients retry."""

log = structlog.get_logger(__name__)


@contextmanager
def run_once(task: Task[Any, Any], key: str) -> Iterator[bool]:
    """Yield True if the work of `key` was not done yet. Without an exception in the block, mark it as done.

    Raises:
        celery.exceptions.Retry: Another task is doing this work. It may fail, so retry in 10 seconds.
    """
    done = f"{PREFIX}done:{key}"
    with exclusive_lock(key) as acquired:
        if not acquired:
            raise task.retry(countdown=10, max_retries=None)
        if store().exists(done):
            yield False
            return
        yield True
        # If the worker is lost right before this line, the work is done twice. To prevent that, also pass the key to
        # the external service: payment providers, for example, support idempotency keys.
        store().set(done, 1, ex=KEY_TTL)


@shared_task(bind=True)
def charge(self: Task[Any, Any], order_id: str, cents: int) -> None:
    """Simulate a payment, once per order."""
    with run_once(self, f"charge:{order_id}") as is_first:
        if is_first:
            log.info("order charged", order=order_id, cents=cents)
        else:
            log.info("order already charged", order=order_id)
