"""Queue lengths from the broker."""

from typing import Any

from kombu import Connection


def get_queue_length(connection: Connection, queue: str) -> int:
    """Return the number of ready messages of a queue, or 0 if the queue does not exist yet."""
    # A separate channel, since the broker may close it if the queue does not exist.
    channel: Any = connection.channel()
    try:
        return int(channel.queue_declare(queue=queue, passive=True).message_count)
    except connection.channel_errors:
        return 0
    finally:
        connection.maybe_close_channel(channel)
