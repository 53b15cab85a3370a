"""A router that looks at the arguments. For a single call, `apply_async(queue=...)` wins over every router."""

from collections.abc import Mapping
from typing import Any

from {{ cookiecutter.project_slug }}.queues import QueueName

URGENT = QueueName.{{ plan().urgent_queue.module | upper }}
"""Where a task goes that is called with `urgent=True`, whatever its module."""


def route_urgent(
    name: str, args: Any, kwargs: Mapping[str, Any] | None, options: Mapping[str, Any], task: Any = None, **_: Any
) -> dict[str, str] | None:
    """The queue of an urgent call; None leaves the others to the next route of `task_routes`."""
    return {"queue": URGENT.value} if (kwargs or {}).get("urgent") is True else None
