"""Dead letters on Amazon SQS. The dead-letter queue of a queue is `<queue>-DLQ`.

A worker sends the dead letter of a task that failed permanently before it acknowledges the message. SQS moves a message
that was received ten times without an acknowledgement: a task that kills its workers, or that no worker knows.
"""

import base64
import json
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from celery import Task, signals
from kombu.utils.json import dumps, loads

from {{ cookiecutter.project_slug }} import failed_tasks
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queues import QueueName

DEAD_LETTER_VISIBILITY_TIMEOUT = 300
"""Seconds until dead letters that a command has received are visible again if the command is killed."""

MAX_REQUESTS = 10
"""Concurrent requests to SQS."""

RESET_HEADERS = {"retries": 0, "expires": None, "eta": None}
"""The headers of a replayed task: all retries, no expiry and no delay."""


def get_queue_url(queue: str) -> str:
    """Return the URL of a queue. The URL of its dead-letter queue has the suffix `-DLQ`."""
    return str(app.conf.broker_transport_options["predefined_queues"][queue]["url"])


@signals.task_failure.connect
def store_dead_letter(sender: Task[Any, Any], task_id: str, exception: Any, args: Any, kwargs: Any, **_: Any) -> None:
    """Send the dead letter of a task that failed permanently to the dead-letter queue."""
    dead_letter = failed_tasks.describe_failure(sender, task_id, exception, args, kwargs)
    with app.connection_for_write() as connection:
        if dead_letter and connection.transport.driver_type == "sqs":
            channel: Any = connection.default_channel
            url = f"{get_queue_url(dead_letter['queue'])}-DLQ"
            channel.sqs(queue=dead_letter["queue"]).send_message(QueueUrl=url, MessageBody=dumps(dead_letter))


@dataclass(frozen=True)
class ReceivedMessage:
    """A message of a dead-letter queue that is invisible to other consumers until its visibility timeout.

    Attributes:
        dead_letter: Its fields.
        queue: The queue of the task.
        receipt: The receipt handle.
        original: The task message if SQS moved it to the dead-letter queue, None if a worker sent the dead letter.
        client: The client that received it.
    """

    dead_letter: dict[str, Any]
    queue: str
    receipt: str
    original: dict[str, Any] | None
    client: Any

    def replay(self) -> None:
        """Publish the task to its queue again."""
        if self.original is None:
            failed_tasks.replay(self.dead_letter)
            return
        message = self.original | {"headers": self.original["headers"] | RESET_HEADERS}
        body = base64.b64encode(dumps(message).encode()).decode()
        self.client.send_message(QueueUrl=get_queue_url(self.queue), MessageBody=body)

    def delete(self) -> None:
        """Delete the message."""
        self.client.delete_message(QueueUrl=f"{get_queue_url(self.queue)}-DLQ", ReceiptHandle=self.receipt)

    def make_visible(self) -> None:
        """Make the message visible to other consumers."""
        self.client.change_message_visibility(
            QueueUrl=f"{get_queue_url(self.queue)}-DLQ", ReceiptHandle=self.receipt, VisibilityTimeout=0
        )


def parse_message(message: dict[str, Any], queue: str, client: Any) -> ReceivedMessage:
    """Parse a message of the dead-letter queue of a queue."""
    try:
        dead_letter, original = loads(message["Body"]), None
    except ValueError:  # kombu encodes task messages with base64
        original = loads(base64.b64decode(message["Body"]).decode())
        args, kwargs, *_ = json.loads(base64.b64decode(original["body"]))
        sent = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
        dead_letter = {
            "id": original["headers"]["id"],
            "task": original["headers"]["task"],
            "queue": queue,
            "args": args,
            "kwargs": kwargs,
            "reason": "delivered too often",
            "attempts": original["headers"].get("retries", 0) + 1,
            "at": sent.isoformat(timespec="seconds"),
            "headers": original["headers"],
        }
    return ReceivedMessage(dead_letter, queue, message["ReceiptHandle"], original, client)


@contextmanager
def receive_dead_letters() -> Iterator[list[ReceivedMessage]]:
    """Yield all dead letters, the oldest first. Those that are in the list after the block become visible again."""
    messages: list[ReceivedMessage] = []
    with app.connection_for_write() as connection, ThreadPoolExecutor(MAX_REQUESTS) as pool:
        channel: Any = connection.default_channel
        queues = list(QueueName) if connection.transport.driver_type == "sqs" else []
        clients = [channel.sqs(queue=queue.value) for queue in queues]
        try:
            for received in pool.map(_receive_messages, queues, clients):
                messages += received
            messages.sort(key=lambda message: str(message.dead_letter["at"]))
            yield messages
        finally:
            list(pool.map(ReceivedMessage.make_visible, messages))


def _receive_messages(queue: QueueName, client: Any) -> list[ReceivedMessage]:
    """Return all messages of the dead-letter queue of a queue."""
    messages: list[ReceivedMessage] = []
    while batch := client.receive_message(
        QueueUrl=f"{get_queue_url(queue)}-DLQ",
        MaxNumberOfMessages=10,
        VisibilityTimeout=DEAD_LETTER_VISIBILITY_TIMEOUT,
        WaitTimeSeconds=1,  # long polling queries all servers of SQS
        MessageSystemAttributeNames=["SentTimestamp"],
    ).get("Messages"):
        messages += [parse_message(message, queue.value, client) for message in batch]
    return messages


def list_dead_letters() -> list[dict[str, Any]]:
    """Return all dead letters, the oldest first."""
    with receive_dead_letters() as messages:
        return [message.dead_letter for message in messages]


def replay(ids: Collection[str]) -> int:
    """Publish the tasks with these ids to their queues again; return their number."""
    return _delete(ids, replay=True)


def discard(ids: Collection[str]) -> int:
    """Delete the dead letters with these ids; return the number deleted."""
    return _delete(ids, replay=False)


def _delete(ids: Collection[str], replay: bool) -> int:
    with receive_dead_letters() as messages:
        selected = [message for message in messages if message.dead_letter["id"] in ids]
        for message in selected:
            if replay:
                message.replay()
            message.delete()
            messages.remove(message)
    return len(selected)
