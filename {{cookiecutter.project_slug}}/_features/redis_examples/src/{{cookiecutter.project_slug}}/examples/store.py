"""The Redis client and the lock of the examples."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

import structlog
from redis import Redis
from redis.exceptions import LockNotOwnedError

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.settings import env

PREFIX = "{{ cookiecutter.project_slug }}:"
"""The prefix of the keys of the examples."""

log = structlog.get_logger(__name__)


@cache
def store() -> Redis:
    """Return the Redis client. It connects on first use."""
    return Redis.from_url(
{% if plan().features.redis_results %}
        env.celery_result_backend,
{% elif plan().features.redis %}
        env.celery_broker_url,
{% endif %}
        socket_timeout=5,  # seconds; the default is no timeout
        socket_connect_timeout=5,  # seconds
        health_check_interval=25,  # seconds; firewalls close idle connections
    )


@contextmanager
def exclusive_lock(name: str) -> Iterator[bool]:
    """Try to acquire a lock, and yield whether it was acquired.

    The lock expires shortly after the time limit of a task, in case its worker is lost. It contains a token, so that
    only its owner releases it.
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
            # Time limits do not apply to the pools of threads and greenlets.
            log.warning("lock expired during work", name=name)
