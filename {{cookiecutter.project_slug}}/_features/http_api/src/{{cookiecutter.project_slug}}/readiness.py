"""Readiness: the broker and the result backend answer, and each queue has a worker."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import BaseModel, Field

from {{ cookiecutter.project_slug }} import queue_lengths
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.submissions import UnavailableError, promptly

FRESH = 5.0
"""Seconds for which a result is reused, so that frequent probes cause little load."""


class Readiness(BaseModel):
    """Whether submitted tasks will run."""

    ready: bool = Field(description="Whether every server answers and every queue has a worker.")
    servers: dict[str, bool] = Field(description="Whether each server answers.")
    workers: dict[str, bool] = Field(description="Whether each queue has a worker; empty where that is unknown.")


class Queue(BaseModel):
    """A queue."""

    name: str = Field(description="The name on the broker.")
    length: int = Field(description="The tasks that no worker has received yet.")
    workers: list[str] = Field(description="The workers that consume it.")


def lengths() -> dict[str, int]:
    """Return the length of each queue, without the tasks that a worker has received."""
    # A connection of its own shows that a new one can be made.
    with app.connection_for_read() as connection:
        return {name.value: queue_lengths.waiting(connection, name.value) for name in QueueName}


CHECKS: dict[str, Callable[[], object]] = {
    "broker": lengths,
{% if plan().features.results %}
    "result_backend": lambda: app.backend.get_task_meta("readiness", cache=False),
{% endif %}
}
"""A call to each server."""

_lock = threading.Lock()
_last: tuple[float, dict[str, bool], dict[str, list[str]]] | None = None


def check() -> tuple[dict[str, bool], dict[str, list[str]]]:
    """Return whether each server answers, and the workers of each queue. Takes at most two seconds."""
    global _last
    with _lock:
        if _last is None or time.monotonic() - _last[0] > FRESH:
            with ThreadPoolExecutor(len(CHECKS) + 1) as pool:
                workers = pool.submit(find_workers)
                servers = dict(zip(CHECKS, pool.map(_answers, CHECKS.values()), strict=True))
            _last = time.monotonic(), servers, workers.result()
        return _last[1:]


def readiness(**servers: bool) -> Readiness:
    """Return the readiness, in which the web framework's own servers count, too."""
    answering, consumers = check()
    servers |= answering
    workers = {queue: bool(names) for queue, names in consumers.items()}
    return Readiness(ready=all([*servers.values(), *workers.values()]), servers=servers, workers=workers)


def queues() -> list[Queue]:
    """Return the queues.

    Raises:
        UnavailableError: The broker is unavailable.
    """
    found = promptly(lengths)
    _, workers = check()
    return [Queue(name=name, length=found[name], workers=workers.get(name, [])) for name in QueueName]


def find_workers() -> dict[str, list[str]]:
    """Return the workers that answered in time, by queue; none where they cannot be asked."""
    if not app.conf.worker_enable_remote_control:
        return {}
    found: dict[str, list[str]] = {name.value: [] for name in QueueName}

    def note(reply: dict[str, Any]) -> None:
        for worker, queues in reply.items():
            for queue in queues:
                found.setdefault(queue["name"], []).append(worker)

    # The number of answers is unknown: it ends when none has come for a second, or at the deadline.
    _answers(lambda: app.control.broadcast("active_queues", reply=True, timeout=1, callback=note))
    return found


def _answers(call: Callable[[], object]) -> bool:
    try:
        promptly(call)
    except UnavailableError:
        return False
    return True
