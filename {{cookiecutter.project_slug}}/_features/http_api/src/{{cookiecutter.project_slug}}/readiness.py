"""Whether what is submitted will be done: is the broker there, the result backend, and a worker for each queue?"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from {{ cookiecutter.project_slug }} import queue_lengths
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.submissions import UnavailableError, promptly

FRESH = 5.0
"""Seconds for which an answer is given again: however often somebody asks, the broker is asked rarely."""


@dataclass(frozen=True)
class Readiness:
    """What was there at the last look.

    Attributes:
        servers: whether each server answered.
        workers: the workers of each queue, by their names.
    """

    servers: dict[str, bool]
    workers: dict[str, list[str]]

    @property
    def parts(self) -> dict[str, bool]:
        """Whether each server is there, and a worker for each queue of which that is known."""
        return self.servers | {f"worker for {queue}": bool(workers) for queue, workers in self.workers.items()}

    @property
    def ready(self) -> bool:
        """Whether all of it is there."""
        return all(self.parts.values())


def waiting() -> dict[str, int]:
    """How many tasks wait in each queue, without those that a worker has taken; asks the broker."""
    # A connection of its own shows that a new one can be made.
    with app.connection_for_read() as connection:
        return {name.value: queue_lengths.waiting(connection, name.value) for name in QueueName}


CHECKS: dict[str, Callable[[], object]] = {
    "broker": waiting,
{% if plan().features.results %}
    "result backend": lambda: app.backend.get_task_meta("readiness", cache=False),
{% endif %}
}
"""What asks each server."""

_lock = threading.Lock()
_last: tuple[float, Readiness] | None = None


def check() -> Readiness:
    """What is there now, or was at most `FRESH` seconds ago; takes two seconds at most."""
    global _last
    with _lock:
        if _last is None or time.monotonic() - _last[0] > FRESH:
            with ThreadPoolExecutor(len(CHECKS) + 1) as pool:
                workers = pool.submit(find_workers)
                servers = dict(zip(CHECKS, pool.map(_answers, CHECKS.values()), strict=True))
            _last = time.monotonic(), Readiness(servers, workers.result())
        return _last[1]


def find_workers() -> dict[str, list[str]]:
    """The workers that answered in time, by the queue that they take from; none where they cannot be asked."""
    if not app.conf.worker_enable_remote_control:
        return {}
    found: dict[str, list[str]] = {name.value: [] for name in QueueName}

    def note(reply: dict[str, Any]) -> None:
        for worker, queues in reply.items():
            for queue in queues:
                found.setdefault(queue["name"], []).append(worker)

    # Nobody knows how many will answer, so it ends when no more have done so for a second, or at the deadline.
    _answers(lambda: app.control.broadcast("active_queues", reply=True, timeout=1, callback=note))
    return found


def _answers(ask: Callable[[], object]) -> bool:
    try:
        promptly(ask)
    except UnavailableError:
        return False
    return True
