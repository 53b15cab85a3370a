"""What RabbitMQ shows beyond the length of its queues: the dead letters.

Not how long the oldest task waits: to look at a message is a delivery, of which a quorum queue allows only so many.
"""

from typing import Any

from prometheus_client import Gauge

from {{ cookiecutter.project_slug }}.queue_lengths import waiting
from {{ cookiecutter.project_slug }}.quorum import DEAD_LETTERS as QUEUE

INTERVAL = 10
"""Seconds between two looks."""

DEAD_LETTERS = Gauge("celery_dead_letters", "Tasks that failed for good.")


def look(connection: Any) -> None:
    """Ask RabbitMQ."""
    DEAD_LETTERS.set(waiting(connection, QUEUE.name))


def forget() -> None:
    """Show nothing until RabbitMQ answers again."""
    DEAD_LETTERS.set(float("nan"))
