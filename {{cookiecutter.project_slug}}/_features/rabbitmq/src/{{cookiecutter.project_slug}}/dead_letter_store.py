"""Dead letters on RabbitMQ, which delivers them to a queue of their own: see `quorum.py`.

There ends what failed for good, what no worker knows, and what took one worker after the other with it. A task
that its hard time limit ends is not among them: the worker acknowledges it, or it would run again.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from celery import signals
from kombu import Connection, Message, Producer, Queue
from kombu.utils.encoding import safe_repr

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queues import TASK_QUEUES
from {{ cookiecutter.project_slug }}.quorum import DEAD_LETTER_REASONS, DEAD_LETTERS

NEW = {"retries": 0, "expires": None, "eta": None}
"""Headers by which a message becomes that of a task nobody has tried yet."""


PUBLISH_TIMEOUT = 2.0
"""Seconds. A memory alarm of RabbitMQ blocks publishers; a worker that waited longer would not drain its queue."""

log = structlog.get_logger(__name__)


@signals.task_failure.connect
def keep_failed(task_id: str, exception: BaseException, **_: Any) -> None:
    """Record why a task failed, before its message is rejected."""
    _keep_reason(task_id, safe_repr(exception))


@signals.task_unknown.connect
def keep_unknown(id: str, exc: BaseException, **_: Any) -> None:
    """Record that this worker does not know a task, as after a deployment in the wrong order."""
    _keep_reason(id, f"unknown task: {exc!r}")


def _keep_reason(task_id: str, reason: str) -> None:
    """Publish a reason; if that fails, the dead letter has none, and the log has the exception."""
    with app.producer_or_acquire() as producer:
        if producer.connection.transport.driver_type != "amqp":
            return  # a test has another broker
        try:
            producer.publish(
                {"id": task_id, "reason": reason[:1000]},
                exchange="",  # the default exchange, which delivers to the queue of that name
                routing_key=DEAD_LETTER_REASONS.name,
                declare=[DEAD_LETTER_REASONS],
                retry=True,
                retry_policy={"max_retries": 1, "interval_start": 0},  # for a connection that the broker has closed
                timeout=PUBLISH_TIMEOUT,
                confirm_timeout=PUBLISH_TIMEOUT,
            )
        except Exception as error:
            log.warning("dead letter reason not recorded", task_id=task_id, error=repr(error))
            producer.connection.collect()  # the next publisher must not take the late confirmation for its own


def _messages(connection: Connection, queue: Queue) -> Iterator[Message]:
    """Get every message of a queue; those that are not acknowledged return to it when the connection closes."""
    bound = queue(connection.default_channel)
    bound.declare()
    while message := bound.get(accept=["json"]):
        yield message


@contextmanager
def held() -> Iterator[tuple[list[Message], Producer]]:
    """All dead letters, and how to send them; those that are not acknowledged go back when the block ends."""
    with app.connection_for_write() as connection:
        yield list(_messages(connection, DEAD_LETTERS)), Producer(connection.default_channel)


def reasons() -> dict[str, str]:
    """Return why tasks failed for the last time, by their ids."""
    with app.connection_for_read() as connection:
        found = [message.payload for message in _messages(connection, DEAD_LETTER_REASONS)]
    return {each["id"]: each["reason"] for each in found}


def death(message: Message) -> dict[str, Any]:
    """RabbitMQ's record of where and why it died; delayed messages have others, of the queues that delayed them."""
    names = {queue.name for queue in TASK_QUEUES}
    headers: dict[str, Any] = message.headers
    deaths: list[dict[str, Any]] = headers.get("x-death", [])
    return next((each for each in deaths if each["queue"] in names), {})


def letter(message: Message) -> dict[str, Any]:
    """What there is to know of a message."""
    args, kwargs, *_ = message.payload if message.content_type == "application/json" else (None, None)
    why = death(message)
    return {
        "id": str(message.headers.get("id", message.delivery_tag)),
        "task": message.headers.get("task", ""),
        "queue": why.get("queue", ""),
        "args": args,
        "kwargs": kwargs,
        "reason": why.get("reason", ""),
        "at": why["time"].isoformat() if "time" in why else "",
        "headers": message.headers,
    }


def read() -> list[dict[str, Any]]:
    """All dead letters, the oldest first."""
    known = reasons()
    with held() as (messages, _):
        letters = [letter(message) for message in messages]
    return [each | {"reason": known.get(each["id"], each["reason"])} for each in letters]


def requeue(ids: Collection[str]) -> int:
    """Send these to their queues again; how many there were."""
    queues = {queue.name: queue for queue in TASK_QUEUES}
    sent = 0
    with held() as (messages, producer):
        for message in messages:
            queue = queues.get(death(message).get("queue", ""))
            if letter(message)["id"] not in ids or queue is None:
                continue
            headers = {name: value for name, value in message.headers.items() if not name.startswith("x-")}
            producer.publish(
                message.body,
                exchange="",
                routing_key=queue.name,
                declare=[queue],  # RabbitMQ drops a message for a queue that is not there
                headers=headers | NEW,
                content_type=message.content_type,
                content_encoding=message.content_encoding,
                correlation_id=message.properties.get("correlation_id"),
                reply_to=message.properties.get("reply_to"),
            )
            message.ack()  # now that the broker has confirmed the other
            sent += 1
    return sent


def purge(ids: Collection[str]) -> int:
    """Throw these away; how many there were."""
    with held() as (messages, _):
        chosen = [message for message in messages if letter(message)["id"] in ids]
        for message in chosen:
            message.ack()
    return len(chosen)
