"""Dead letters on Redis, which has none of its own: a worker writes down what failed for good.

It does so before it acknowledges the task, so that a crash between the two writes it twice, under one key, and
loses none. A task that kills its process is among them after its retries, and one that takes one whole worker after
the other with it after `MOST_LOST_WORKERS` of them; see `redis_transport.py`.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from celery import Task, signals
from kombu import Message
from kombu.utils.json import dumps, loads
from redis import Redis

from {{ cookiecutter.project_slug }} import failed_tasks
from {{ cookiecutter.project_slug }}.celery_app import app

KEY = "{{ cookiecutter.project_slug }}:dead_letters"
"""The hash, in the broker's database: a task's id to what it takes to send it again."""


@contextmanager
def broker() -> Iterator[Redis | None]:
    """The broker's Redis; None where a test has another broker."""
    with app.connection_for_write() as connection:
        channel: Any = connection.default_channel
        yield channel.client if connection.transport.driver_type == "redis" else None


@signals.task_failure.connect
def keep_failed(sender: Task[Any, Any], task_id: str, exception: Any, args: Any, kwargs: Any, **_: Any) -> None:
    """Write down a task that failed for good."""
    if letter := failed_tasks.letter_of(sender, task_id, exception, args, kwargs):
        _keep(letter)


@signals.task_unknown.connect
def keep_unknown(message: Message, name: str, id: str, exc: Any, **_: Any) -> None:
    """Write down a task that this worker does not know, as after a deployment in the wrong order."""
    args, kwargs, *_rest = message.payload
    queue = (message.delivery_info or {})["routing_key"]
    _keep(failed_tasks.letter(id, name, queue, args, kwargs, f"unknown task: {exc!r}", {"task_id": id}))


def _keep(letter: dict[str, Any]) -> None:
    with broker() as redis:
        if redis is not None:
            redis.hset(KEY, letter["id"], dumps(letter))


def read() -> list[dict[str, Any]]:
    """All dead letters, the oldest first."""
    with broker() as redis:
        kept: list[Any] = redis.hvals(KEY) if redis is not None else []
    return sorted((loads(letter) for letter in kept), key=lambda letter: str(letter["at"]))


def requeue(ids: Collection[str]) -> int:
    """Send these to their queues again; how many there were."""
    letters = [letter for letter in read() if letter["id"] in ids]
    for letter in letters:
        failed_tasks.send_again(letter)
        purge([letter["id"]])
    return len(letters)


def purge(ids: Collection[str]) -> int:
    """Throw these away; how many there were."""
    with broker() as redis:
        return int(redis.hdel(KEY, *ids)) if redis is not None and ids else 0
