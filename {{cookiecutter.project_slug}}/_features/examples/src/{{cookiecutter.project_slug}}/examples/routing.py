"""A router that selects a queue by the arguments of a task. `apply_async(queue=...)` overrides every router."""

from collections.abc import Mapping
from typing import Any

from {{ cookiecutter.project_slug }}.queues import QueueName

URGENT = QueueName.{{ plan().urgent_queue.module | upper }}
"""The queue of tasks that are called with `urgent=True`."""


def route_urgent(
    name: str, args: Any, kwargs: Mapping[str, Any] | None, options: Mapping[str, Any], task: Any = None, **_: Any
) -> dict[str, str] | None:
    """Return the queue of an urgent call, or None to apply the next router of `task_routes`."""
    return {"queue": URGENT.value} if (kwargs or {}).get("urgent") is True else None
