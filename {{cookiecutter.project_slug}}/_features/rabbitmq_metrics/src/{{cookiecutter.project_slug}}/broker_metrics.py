"""Metrics that only RabbitMQ has: the dead letters.

It does not have the age of the oldest message: to read a message is a delivery, and a quorum queue limits their number.
"""

from typing import Any

from prometheus_client import Gauge

from {{ cookiecutter.project_slug }}.queue_lengths import get_queue_length
from {{ cookiecutter.project_slug }}.quorum import DEAD_LETTERS as QUEUE
from {{ cookiecutter.project_slug }}.settings import env

INTERVAL = 10
"""Seconds between two queries."""

DEAD_LETTERS = Gauge("celery_dead_letters", "Dead letters.")
DEAD_LETTERS_MAX = Gauge("celery_dead_letters_max", "The number from which RabbitMQ drops the oldest dead letters.")
DEAD_LETTERS_MAX.set(env.dead_letters_max_count)


def update(connection: Any) -> None:
    """Query RabbitMQ."""
    DEAD_LETTERS.set(get_queue_length(connection, QUEUE.name))


def clear() -> None:
    """Export nothing until RabbitMQ answers again."""
    DEAD_LETTERS.set(float("nan"))
