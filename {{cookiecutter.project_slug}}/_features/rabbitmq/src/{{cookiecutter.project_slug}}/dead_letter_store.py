"""Dead letters on RabbitMQ, which moves rejected messages to the dead-letter queue; see `quorum.py`.

The queue contains tasks that failed permanently, tasks that no worker knows, and tasks that exceeded the delivery
limit. It does not contain tasks that were killed by the hard time limit: the worker acknowledges these, since RabbitMQ
would redeliver them otherwise.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from celery import signals
from kombu import Connection, Message, Producer, Queue
from kombu.utils.encoding import safe_repr

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.errors import format_traceback
from {{ cookiecutter.project_slug }}.queues import TASK_QUEUES
from {{ cookiecutter.project_slug }}.quorum import DEAD_LETTER_REASONS, DEAD_LETTERS

RESET_HEADERS = {"retries": 0, "expires": None, "eta": None}
"""The headers of a replayed task: all retries, no expiry and no delay."""

PUBLISH_TIMEOUT = 2.0
"""Seconds. A memory alarm of RabbitMQ blocks publishers. With a longer timeout, a worker would not drain its queue."""

log = structlog.get_logger(__name__)


@signals.task_failure.connect
def store_failure_reason(task_id: str, exception: BaseException, **_: Any) -> None:
    """Store why a task failed, before its message is rejected."""
    _store_reason(task_id, safe_repr(exception), format_traceback(exception))


@signals.task_unknown.connect
def store_unknown_task(id: str, exc: BaseException, **_: Any) -> None:
    """Store that this worker does not know a task, for example after a wrong deployment order."""
    _store_reason(id, f"unknown task: {exc!r}")


def _store_reason(task_id: str, reason: str, traceback: str = "") -> None:
    """Publish a reason. If that fails, the dead letter has no reason, but the log contains the exception."""
    with app.producer_or_acquire() as producer:
        if producer.connection.transport.driver_type != "amqp":
            return  # a test uses another broker
        try:
            producer.publish(
                {"id": task_id, "reason": reason[:1000], "traceback": traceback},
                exchange="",  # the default exchange, which delivers to the queue with the name of the routing key
                routing_key=DEAD_LETTER_REASONS.name,
                declare=[DEAD_LETTER_REASONS],
                retry=True,
                retry_policy={"max_retries": 1, "interval_start": 0},  # in case the broker has closed the connection
                timeout=PUBLISH_TIMEOUT,
                confirm_timeout=PUBLISH_TIMEOUT,
            )
        except Exception as error:
            log.warning("dead letter reason not recorded", task_id=task_id, error=repr(error))
            producer.connection.collect()  # or the next publisher would receive the late confirm


def _get_messages(connection: Connection, queue: Queue) -> Iterator[Message]:
    """Yield all messages of a queue. RabbitMQ requeues the unacknowledged ones when the connection closes."""
    bound = queue(connection.default_channel)
    bound.declare()
    while message := bound.get(accept=["json"]):
        yield message


@contextmanager
def receive_dead_letters() -> Iterator[tuple[list[Message], Producer]]:
    """Yield all dead letters and a producer. RabbitMQ requeues the unacknowledged dead letters after the block."""
    with app.connection_for_write() as connection:
        yield list(_get_messages(connection, DEAD_LETTERS)), Producer(connection.default_channel)


def list_reasons() -> dict[str, dict[str, str]]:
    """Return the reason and the traceback of the last failure of each task, by task id."""
    with app.connection_for_read() as connection:
        reasons = [message.payload for message in _get_messages(connection, DEAD_LETTER_REASONS)]
    return {reason["id"]: reason for reason in reasons}


def find_death(message: Message) -> dict[str, Any]:
    """Return the entry of a task queue in the header `x-death`, which also has entries of the delay queues."""
    names = {queue.name for queue in TASK_QUEUES}
    headers: dict[str, Any] = message.headers
    deaths: list[dict[str, Any]] = headers.get("x-death", [])
    return next((death for death in deaths if death["queue"] in names), {})


def to_dict(message: Message) -> dict[str, Any]:
    """Return the fields of a dead letter."""
    args, kwargs, *_ = message.payload if message.content_type == "application/json" else (None, None)
    death, headers = find_death(message), message.headers
    return {
        "id": str(headers.get("id", message.delivery_tag)),
        "task": headers.get("task", ""),
        "queue": death.get("queue", ""),
        "args": args,
        "kwargs": kwargs,
        "reason": death.get("reason", ""),
        "attempts": int(headers.get("retries", 0)) + 1,
        "at": death["time"].isoformat() if "time" in death else "",
        "headers": headers,
    }


def list_dead_letters() -> list[dict[str, Any]]:
    """Return all dead letters, the oldest first."""
    reasons = list_reasons()
    with receive_dead_letters() as (messages, _):
        dead_letters = [to_dict(message) for message in messages]
    return [dead_letter | reasons.get(dead_letter["id"], {}) for dead_letter in dead_letters]


def replay(ids: Collection[str]) -> int:
    """Publish the tasks with these ids to their queues again; return their number."""
    queues = {queue.name: queue for queue in TASK_QUEUES}
    count = 0
    with receive_dead_letters() as (messages, producer):
        for message in messages:
            queue = queues.get(find_death(message).get("queue", ""))
            if to_dict(message)["id"] not in ids or queue is None:
                continue
            headers = {name: value for name, value in message.headers.items() if not name.startswith("x-")}
            producer.publish(
                message.body,
                exchange="",
                routing_key=queue.name,
                declare=[queue],  # RabbitMQ drops a message whose queue does not exist
                headers=headers | RESET_HEADERS,
                content_type=message.content_type,
                content_encoding=message.content_encoding,
                correlation_id=message.properties.get("correlation_id"),
                reply_to=message.properties.get("reply_to"),
            )
            message.ack()  # after the publisher confirm
            count += 1
    return count


def discard(ids: Collection[str]) -> int:
    """Delete the dead letters with these ids; return the number deleted."""
    with receive_dead_letters() as (messages, _):
        selected = [message for message in messages if to_dict(message)["id"] in ids]
        for message in selected:
            message.ack()
    return len(selected)
