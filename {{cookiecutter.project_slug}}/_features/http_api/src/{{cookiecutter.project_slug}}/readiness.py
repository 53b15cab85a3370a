"""Readiness: the broker and the result backend are reachable, and each queue has a worker."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from pydantic import BaseModel, Field

from {{ cookiecutter.project_slug }} import queue_lengths
from {{ cookiecutter.project_slug }}.celery_app import app
{% if plan().features.control %}
from {{ cookiecutter.project_slug }}.control import store
from {{ cookiecutter.project_slug }}.control.pauses import by_name
{% endif %}
from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.submissions import UnavailableError, call_with_deadline

CACHE_SECONDS = 5.0
"""Seconds for which a result is cached, so that frequent probes cause little load."""


class Readiness(BaseModel):
    """The state of the servers and the workers."""

    ready: bool = Field(description="Whether all servers are reachable and every queue has a worker.")
    servers: dict[str, bool] = Field(description="Whether each server is reachable.")
    workers: dict[str, bool] = Field(description="Whether each queue has a worker; empty without remote control.")


class Queue(BaseModel):
    """A queue, its length and its workers."""

    name: str = Field(description="The name of the queue on the broker.")
    length: int = Field(description="The number of messages that no worker has received yet.")
    workers: list[str] = Field(description="The workers that consume from the queue.")
{% if plan().features.control %}
    paused: bool = Field(description="Whether the queue is paused: no worker consumes from it.")
{% endif %}


def read_lengths() -> dict[str, int]:
    """Return the length of each queue, without unacknowledged messages."""
    # A new connection: a pooled one would not show that the broker accepts connections.
    with app.connection_for_read() as connection:
        return {name.value: queue_lengths.get_queue_length(connection, name.value) for name in QueueName}


CHECKS: dict[str, Callable[[], object]] = {
    "broker": read_lengths,
{% if plan().features.results %}
    "result_backend": lambda: app.backend.get_task_meta("readiness", cache=False),
{% endif %}
}
"""For each server, a call that fails if the server is unreachable."""

_lock = threading.Lock()
_cached: tuple[float, dict[str, bool], dict[str, list[str]]] | None = None


def check_servers() -> tuple[dict[str, bool], dict[str, list[str]]]:
    """Return whether each server is reachable, and the workers of each queue, within two seconds."""
    global _cached
    with _lock:
        if _cached is None or time.monotonic() - _cached[0] > CACHE_SECONDS:
            with ThreadPoolExecutor(len(CHECKS) + 1) as pool:
                workers = pool.submit(find_workers)
                servers = dict(zip(CHECKS, pool.map(_is_reachable, CHECKS.values()), strict=True))
            _cached = time.monotonic(), servers, workers.result()
        return _cached[1:]


def check_readiness(**servers: bool) -> Readiness:
    """Return the readiness.

    Args:
        servers: Whether each additional server, such as the database of Django, is reachable.
    """
    reachable, consumers = check_servers()
    servers |= reachable
    workers = {queue: bool(names) for queue, names in consumers.items()}
    return Readiness(ready=all([*servers.values(), *workers.values()]), servers=servers, workers=workers)


def list_queues() -> list[Queue]:
    """Return the queues, each with its length and its workers.

    Raises:
        UnavailableError: The broker is unavailable.
    """
    lengths = call_with_deadline(read_lengths)
    _, workers = check_servers()
{% if plan().features.control %}
{% if plan().features.control_fastapi %}
    pauses = call_with_deadline(store.list_pauses)
{% elif plan().features.control_django %}
    pauses = store.list_pauses()
{% endif %}
    paused = by_name(pauses, "queue")
    return [
        Queue(name=name, length=lengths[name], workers=workers.get(name, []), paused=name in paused)
        for name in QueueName
    ]
{% else %}
    return [Queue(name=name, length=lengths[name], workers=workers.get(name, [])) for name in QueueName]
{% endif %}


def find_workers() -> dict[str, list[str]]:
    """Return the workers that replied in time, by queue. Without remote control, return an empty mapping."""
    if not app.conf.worker_enable_remote_control:
        return {}
    workers: dict[str, list[str]] = {name.value: [] for name in QueueName}

    def add_reply(reply: dict[str, Any]) -> None:
        for worker, queues in reply.items():
            for queue in queues:
                workers.setdefault(queue["name"], []).append(worker)

    # The number of replies is unknown. The call ends one second after the last reply, or at the deadline.
    _is_reachable(lambda: app.control.broadcast("active_queues", reply=True, timeout=1, callback=add_reply))
    return workers


def _is_reachable(call: Callable[[], object]) -> bool:
    try:
        call_with_deadline(call)
    except UnavailableError:
        return False
    return True
