"""Dead letters on RabbitMQ, which delivers them to a queue of their own: see `quorum.py`.

There ends what failed for good, what no worker knows, and what took one worker after the other with it. A task
that its hard time limit ends is not among them: the worker acknowledges it, or it would run again.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

from kombu import Message, Producer

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queues import TASK_QUEUES
from {{ cookiecutter.project_slug }}.quorum import DEAD_LETTERS

NEW = {"retries": 0, "expires": None, "eta": None}
"""Headers by which a message becomes that of a task nobody has tried yet."""


@contextmanager
def held() -> Iterator[tuple[list[Message], Producer]]:
    """All dead letters, and how to send them; those that are not acknowledged go back when the block ends."""
    with app.connection_for_write() as connection:
        queue = DEAD_LETTERS(connection.default_channel)
        queue.declare()
        messages: list[Message] = []
        while message := queue.get(accept=["json"]):
            messages.append(message)
        yield messages, Producer(connection.default_channel)


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
    with held() as (messages, _):
        return [letter(message) for message in messages]


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
                exchange="",  # the default exchange, which delivers to the queue of that name
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
