"""What RabbitMQ shows beyond the length of its queues: the dead letters.

Not how long the oldest task waits: to look at a message is a delivery, of which a quorum queue allows only so many.
"""

from typing import Any

from prometheus_client import Gauge

from {{ cookiecutter.project_slug }}.quorum import DEAD_LETTERS as QUEUE

INTERVAL = 10
"""Seconds between two looks."""

DEAD_LETTERS = Gauge("celery_dead_letters", "Tasks that failed for good.")


def look(connection: Any) -> None:
    """Ask RabbitMQ."""
    channel = connection.channel()
    try:
        DEAD_LETTERS.set(channel.queue_declare(queue=QUEUE.name, passive=True).message_count)
    except connection.channel_errors:  # no queue was declared yet
        DEAD_LETTERS.set(0)
    finally:
        connection.maybe_close_channel(channel)


def forget() -> None:
    """Show nothing until RabbitMQ answers again."""
    DEAD_LETTERS.set(float("nan"))
