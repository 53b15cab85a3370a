"""Metrics that only Redis has: the age of the oldest message in each queue, and the dead letters."""

import json
from typing import Any

from prometheus_client import Gauge

from {{ cookiecutter.project_slug }}.base_task import waited
from {{ cookiecutter.project_slug }}.dead_letter_store import KEY
from {{ cookiecutter.project_slug }}.queues import QueueName

INTERVAL = 10
"""Seconds between two queries."""

OLDEST = Gauge("celery_queue_oldest_message_age_seconds", "Time since the oldest ready message was due.", ["queue"])
DEAD_LETTERS = Gauge("celery_dead_letters", "Dead letters.")


def update(connection: Any) -> None:
    """Query Redis."""
    if connection.transport.driver_type != "redis":  # the tests' broker
        return
    redis = connection.default_channel.client
    for name in QueueName:
        message = redis.lindex(name.value, -1)  # the end that a worker takes from
        headers = json.loads(message).get("headers", {}) if message else {}
        OLDEST.labels(name.value).set(waited(headers) or 0)  # messages of other programs have no time
    DEAD_LETTERS.set(redis.hlen(KEY))


def clear() -> None:
    """Export nothing until Redis answers again."""
    OLDEST.clear()
    DEAD_LETTERS.set(float("nan"))
