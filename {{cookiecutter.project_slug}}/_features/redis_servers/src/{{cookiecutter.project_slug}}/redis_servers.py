"""Checks at the start of a process for unsupported Redis servers: a Redis Cluster, or a read-only replica."""

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

{% if plan().features.redis %}
from celery.exceptions import ImproperlyConfigured
{% endif %}
{% if plan().features.redbeat %}
from redbeat.schedulers import get_redis
{% endif %}
from redis.exceptions import AskError, ClusterCrossSlotError, ClusterDownError, MovedError, ReadOnlyError, ResponseError

from {{ cookiecutter.project_slug }}.celery_app import app
{% if plan().features.redis or plan().features.redis_results %}
from {{ cookiecutter.project_slug }}.settings import env
{% endif %}

CLUSTER = "is a Redis Cluster, where scripts and transactions cannot use several keys: use a single Redis"
REPLICA = "is a read-only replica: use its master"
KEYS = ("_kombu.none.a", "_kombu.none.b")
"""Keys that do not exist, and that all users may access."""


def find_problem(client: Any) -> str | None:
    """Return why a server is unsupported, or None.

    The check deletes keys that do not exist, since many users may not run `INFO`.
    """
    try:
        client.eval("return redis.call('DEL', KEYS[1], KEYS[2])", 2, *KEYS)
    except ReadOnlyError:
        return REPLICA
    except (AskError, ClusterCrossSlotError, ClusterDownError, MovedError):
        return CLUSTER
    except ResponseError as error:
        if "cluster mode" not in str(error):  # a cluster rejects SELECT
            raise
        return CLUSTER
    return None


{% if plan().features.redbeat %}
def check_servers(redbeat: bool = False) -> None:
{% elif not plan().features.redbeat %}
def check_servers() -> None:
{% endif %}
    """Exit if a server is unsupported. Ignore an unreachable server, which may be available later.

    Raises:
        SystemExit: A server is unsupported. The message names its environment variable.
    """
    checks: dict[str, Callable[[], str | None]] = {}
{% if plan().features.redis %}
    if not env.celery_broker_url.startswith("memory"):
        checks["CELERY_BROKER_URL"] = find_broker_problem
{% endif %}
{% if plan().features.redis_results %}
    if env.celery_result_backend.startswith("redis"):
        backend: Any = app.backend
        checks["CELERY_RESULT_BACKEND"] = lambda: find_problem(backend.client)
{% endif %}
{% if plan().features.redbeat %}
    if redbeat:
        checks["REDBEAT_REDIS_URL"] = lambda: find_problem(get_redis(app))
{% endif %}
    for name, check in checks.items():
        problem = None
        with suppress(Exception):  # the process reports the error when it uses the server
            problem = check()
        if problem:
            sys.exit(f"{name} {problem}.")
{% if plan().features.redis %}


def find_broker_problem() -> str | None:
    """Return why the broker is unsupported, or None."""
    try:
        with app.connection_for_write() as connection:
            connection.ensure_connection(max_retries=1, interval_start=0)
            channel: Any = connection.default_channel
            return find_problem(channel.client)
    except ImproperlyConfigured:  # from redis_transport.py
        return CLUSTER
{% endif %}
