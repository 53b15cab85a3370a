"""What Redis shows beyond the length of its queues: how long the oldest task waits, and the dead letters."""

import json
from typing import Any

from prometheus_client import Gauge

from {{ cookiecutter.project_slug }}.base_task import waited
from {{ cookiecutter.project_slug }}.dead_letter_store import KEY
from {{ cookiecutter.project_slug }}.queues import QueueName

INTERVAL = 10
"""Seconds between two looks."""

OLDEST = Gauge("celery_queue_oldest_age_seconds", "How long the oldest task in the queue has been due.", ["queue"])
DEAD_LETTERS = Gauge("celery_dead_letters", "Tasks that failed for good.")


def look(connection: Any) -> None:
    """Ask Redis."""
    if connection.transport.driver_type != "redis":  # a test's
        return
    redis = connection.default_channel.client
    for name in QueueName:
        message = redis.lindex(name.value, -1)  # a worker takes from this end
        headers = json.loads(message).get("headers", {}) if message else {}
        OLDEST.labels(name.value).set(waited(headers) or 0)  # others' messages do not say
    DEAD_LETTERS.set(redis.hlen(KEY))


def forget() -> None:
    """Show nothing until Redis answers again."""
    OLDEST.clear()
    DEAD_LETTERS.set(float("nan"))
