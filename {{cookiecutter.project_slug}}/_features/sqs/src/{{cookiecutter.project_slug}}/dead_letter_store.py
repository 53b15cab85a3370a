"""Dead letters on Amazon SQS: beside each queue there is one for them, `<queue>-DLQ`.

A worker sends there what failed for good, before it acknowledges the task. And SQS itself moves there what was
delivered ten times and never acknowledged: what takes one worker after the other with it, and what none of them knows.
"""

import base64
import json
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from celery import Task, signals
from kombu.utils.json import dumps, loads

from {{ cookiecutter.project_slug }} import failed_tasks
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queues import QueueName

HOLD = 300
"""Seconds for which nobody else sees what a command looks at, should it be killed."""

NEW = {"retries": 0, "expires": None, "eta": None}
"""Headers by which a message becomes that of a task nobody has tried yet."""


def url_of(queue: str) -> str:
    """The URL of a queue; its dead letters' is the same with `-DLQ` at the end."""
    return str(app.conf.broker_transport_options["predefined_queues"][queue]["url"])


@signals.task_failure.connect
def keep_failed(sender: Task[Any, Any], task_id: str, exception: Any, args: Any, kwargs: Any, **_: Any) -> None:
    """Send a task that failed for good to its queue's dead letters."""
    letter = failed_tasks.describe_failure(sender, task_id, exception, args, kwargs)
    with app.connection_for_write() as connection:
        if letter and connection.transport.driver_type == "sqs":
            channel: Any = connection.default_channel
            url = url_of(letter["queue"])
            channel.sqs(queue=letter["queue"]).send_message(QueueUrl=f"{url}-DLQ", MessageBody=dumps(letter))


@dataclass(frozen=True)
class Held:
    """A dead letter that nobody else sees for a while.

    Attributes:
        letter: what there is to know of it.
        queue: where its task ran.
        receipt: SQS's handle for it.
        original: the message of the task itself, if SQS moved it; else a worker sent the letter.
        client: what it was received with.
    """

    letter: dict[str, Any]
    queue: str
    receipt: str
    original: dict[str, Any] | None
    client: Any

    def send_again(self) -> None:
        """Send its task to the queue again."""
        if self.original is None:
            failed_tasks.replay(self.letter)
            return
        message = self.original | {"headers": self.original["headers"] | NEW}
        body = base64.b64encode(dumps(message).encode()).decode()
        self.client.send_message(QueueUrl=url_of(self.queue), MessageBody=body)

    def delete(self) -> None:
        """Take it away for good."""
        self.client.delete_message(QueueUrl=f"{url_of(self.queue)}-DLQ", ReceiptHandle=self.receipt)

    def put_back(self) -> None:
        """Let others see it."""
        self.client.change_message_visibility(
            QueueUrl=f"{url_of(self.queue)}-DLQ", ReceiptHandle=self.receipt, VisibilityTimeout=0
        )


def hold(message: dict[str, Any], queue: str, client: Any) -> Held:
    """A message from a queue of dead letters, understood."""
    try:
        letter, original = loads(message["Body"]), None
    except ValueError:  # not JSON but base64 of it, as kombu writes messages
        original = loads(base64.b64decode(message["Body"]).decode())
        args, kwargs, *_ = json.loads(base64.b64decode(original["body"]))
        sent = datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC)
        letter = {
            "id": original["headers"]["id"],
            "task": original["headers"]["task"],
            "queue": queue,
            "args": args,
            "kwargs": kwargs,
            "reason": "delivered too often",
            "at": sent.isoformat(timespec="seconds"),
            "headers": original["headers"],
        }
    return Held(letter, queue, message["ReceiptHandle"], original, client)


@contextmanager
def held() -> Iterator[list[Held]]:
    """All dead letters, the oldest first; those that are still in the list when the block ends go back."""
    found: list[Held] = []
    with app.connection_for_write() as connection:
        channel: Any = connection.default_channel
        for queue in QueueName if connection.transport.driver_type == "sqs" else ():
            client = channel.sqs(queue=queue.value)
            while answer := client.receive_message(
                QueueUrl=f"{url_of(queue)}-DLQ",
                MaxNumberOfMessages=10,
                VisibilityTimeout=HOLD,
                WaitTimeSeconds=1,  # so that all of SQS's servers are asked
                MessageSystemAttributeNames=["SentTimestamp"],
            ).get("Messages"):
                found += [hold(message, queue.value, client) for message in answer]
        found.sort(key=lambda each: str(each.letter["at"]))
        try:
            yield found
        finally:
            for each in found:
                each.put_back()


def read() -> list[dict[str, Any]]:
    """All dead letters, the oldest first."""
    with held() as letters:
        return [each.letter for each in letters]


def requeue(ids: Collection[str]) -> int:
    """Send these to their queues again; how many there were."""
    return _take(ids, again=True)


def purge(ids: Collection[str]) -> int:
    """Throw these away; how many there were."""
    return _take(ids, again=False)


def _take(ids: Collection[str], again: bool) -> int:
    with held() as letters:
        chosen = [each for each in letters if each.letter["id"] in ids]
        for each in chosen:
            if again:
                each.send_again()
            each.delete()
            letters.remove(each)
    return len(chosen)
