"""What takes the memory of the broker's Redis, and the share of `maxmemory` that each may take."""

from typing import Any

from {{ cookiecutter.project_slug }}.dead_letter_store import KEY, TIMES
from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.redis_transport import SCHEDULED

BUDGETS = {"queues": 0.5, "dead letters": 0.1, "other": 0.2}
"""They leave 20 % free. `other` are results, other databases and the buffers of clients."""


def shares(channel: Any) -> dict[str, float]:
    """Return the share of `maxmemory` that each takes; nothing where Redis has no limit."""
    info = channel.client.info("memory")
    limit, used = info["maxmemory"], info["used_memory"]
    if not limit:
        return {}
    lists = [key for name in QueueName for key in channel.lists(name.value)]
    queues = memory_of(channel, channel.unacked_key, *lists, *(key + SCHEDULED for key in lists))
    letters = memory_of(channel, KEY, TIMES)
    return {"queues": queues / limit, "dead letters": letters / limit, "other": (used - queues - letters) / limit}


def memory_of(channel: Any, *keys: str) -> int:
    """Return the bytes that keys take, as Redis estimates them by samples."""
    return sum(channel.client.memory_usage(channel.prefixed(key)) or 0 for key in keys)
