"""Additional metrics of RabbitMQ: dead letters.

The age of the oldest message is not available: reading a message is a delivery, and a quorum queue limits deliveries.
"""

from typing import Any

from prometheus_client import Gauge

from {{ cookiecutter.project_slug }}.queue_lengths import get_queue_length
from {{ cookiecutter.project_slug }}.quorum import DEAD_LETTERS as QUEUE
from {{ cookiecutter.project_slug }}.settings import env

INTERVAL = 10
"""Seconds between two queries."""

DEAD_LETTERS = Gauge("celery_dead_letters", "Number of dead letters.")
DEAD_LETTERS_MAX = Gauge("celery_dead_letters_max", "Maximum number of dead letters; RabbitMQ then drops the oldest.")
DEAD_LETTERS_MAX.set(env.dead_letters_max_count)


def update(connection: Any) -> None:
    """Query RabbitMQ and set the metrics."""
    DEAD_LETTERS.set(get_queue_length(connection, QUEUE.name))


def clear() -> None:
    """Export no values until the next successful query."""
    DEAD_LETTERS.set(float("nan"))
