"""How many tasks wait in a queue, as the broker says."""

from typing import Any

from kombu import Connection


def waiting(connection: Connection, queue: str) -> int:
    """How many tasks no worker has taken yet; none in a queue that does not exist yet."""
    # A channel for each: asking for a queue that does not exist may close it.
    channel: Any = connection.channel()
    try:
        return int(channel.queue_declare(queue=queue, passive=True).message_count)
    except connection.channel_errors:
        return 0
    finally:
        connection.maybe_close_channel(channel)
