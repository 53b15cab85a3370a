"""The memory of the broker's Redis by use, and the share of `maxmemory` that each use may take."""

from typing import Any

from {{ cookiecutter.project_slug }}.dead_letter_store import KEY, TIMES
from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.redis_transport import SCHEDULED

BUDGETS = {"queues": 0.5, "dead letters": 0.1, "other": 0.2}
"""Their sum leaves 20 % free. `other` contains results, other databases and client buffers."""


def measure_shares(channel: Any) -> dict[str, float]:
    """Return the share of `maxmemory` of each use; empty if Redis has no limit."""
    info = channel.client.info("memory")
    limit, used = info["maxmemory"], info["used_memory"]
    if not limit:
        return {}
    ready = [key for name in QueueName for key in channel.list_ready_keys(name.value)]
    queues = measure_memory(channel, channel.unacked_key, *ready, *(key + SCHEDULED for key in ready))
    dead_letters = measure_memory(channel, KEY, TIMES)
    other = used - queues - dead_letters
    return {"queues": queues / limit, "dead letters": dead_letters / limit, "other": other / limit}


def measure_memory(channel: Any, *keys: str) -> int:
    """Return the memory of keys in bytes, which Redis estimates from samples."""
    return sum(channel.client.memory_usage(channel.add_prefix(key)) or 0 for key in keys)
