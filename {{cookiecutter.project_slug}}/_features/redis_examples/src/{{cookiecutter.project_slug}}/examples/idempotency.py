"""An effect that happens once, though its task may be delivered twice.

A task is delivered again when its worker is lost, or only seems to be, and a caller may send it twice. Where the
work itself is not idempotent ("set the balance to 5" is, "add 5" is not), a key says whether it was done.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from celery import Task, shared_task

from {{ cookiecutter.project_slug }}.examples.store import PREFIX, exclusive, store

REMEMBER = 86400
"""Seconds (a day) for which a key is remembered, longer than anybody sends the same again."""

log = structlog.get_logger(__name__)


@contextmanager
def once(task: Task[Any, Any], key: str) -> Iterator[bool]:
    """Whether the work of `key` is still to be done; if the block ends without an exception, it is done.

    Raises:
        celery.exceptions.Retry: another run is at it. It may yet fail, so this one looks again in 10 s.
    """
    done = f"{PREFIX}done:{key}"
    with exclusive(key) as alone:
        if not alone:
            raise task.retry(countdown=10, max_retries=None)
        if store().exists(done):
            yield False
            return
        yield True
        # A worker lost right before this line does the work a second time: no key can prevent that. Who offers
        # idempotency keys, as payment providers do, is to be given this one as well.
        store().set(done, 1, ex=REMEMBER)


@shared_task(bind=True)
def charge(self: Task[Any, Any], order_id: str, cents: int) -> None:
    """Stands in for taking money: for each order, once."""
    with once(self, f"charge:{order_id}") as first:
        if first:
            log.info("money is taken", order=order_id, cents=cents)
        else:
            log.info("money was taken before", order=order_id)
