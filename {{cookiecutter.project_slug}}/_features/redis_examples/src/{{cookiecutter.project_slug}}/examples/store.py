"""The Redis that the examples use for what all workers must agree on."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import structlog
from redis import Redis
from redis.exceptions import LockNotOwnedError

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.settings import env

PREFIX = "{{ cookiecutter.project_slug }}:"
"""What its keys begin with."""

log = structlog.get_logger(__name__)


@cache
def store() -> Redis:
    """The client, which connects when it is first used."""
    return Redis.from_url(
{% if plan().features.redis_results %}
        env.celery_result_backend,
{% elif plan().features.redis %}
        env.celery_broker_url,
{% endif %}
        socket_timeout=5,  # seconds; the default waits for ever
        socket_connect_timeout=5,  # seconds
        health_check_interval=25,  # seconds; firewalls drop idle connections
    )


@contextmanager
def exclusive(name: str) -> Iterator[bool]:
    """Whether nobody else is in a block of this name; who is not alone must leave it again.

    The lock has an expiry, so that a lost worker does not hold it for ever: a little longer than the time limit
    of a task. And it holds its owner's token, so that nobody releases another's.
    """
    lock = store().lock(f"{PREFIX}lock:{name}", timeout=app.conf.task_time_limit + 10, blocking=False)
    if not lock.acquire():
        yield False
        return
    try:
        yield True
    finally:
        try:
            lock.release()
        except LockNotOwnedError:
            # Threads and greenlets have no time limit that ends them.
            log.warning("a lock expired before its work was done", name=name)
