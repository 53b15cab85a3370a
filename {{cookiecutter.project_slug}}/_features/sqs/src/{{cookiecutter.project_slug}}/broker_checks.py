"""The doctor's checks of Amazon SQS. A check without the necessary permission is `unknown`."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from botocore.exceptions import ClientError
from kombu import Connection

from {{ cookiecutter.project_slug }}.dead_letter_store import get_queue_url
from {{ cookiecutter.project_slug }}.findings import Note, Unknown
from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.sqs import VISIBILITY_TIMEOUT


def list_checks(connection: Connection) -> dict[str, Callable[[], Iterable[str]]]:
    """Return a check for each queue."""
    channel: Any = connection.default_channel
    return {f"broker: {name.value}": partial(query, name, channel) for name in QueueName}


def query(queue: QueueName, channel: Any) -> Iterator[str]:
    """Get the attributes of a queue and check them."""
    try:
        answer = channel.sqs(queue=queue.value).get_queue_attributes(
            QueueUrl=get_queue_url(queue), AttributeNames=["All"]
        )
    except ClientError as error:
        if "AccessDenied" not in error.response["Error"]["Code"]:
            raise
        yield Unknown("not checked: the credentials do not permit sqs:GetQueueAttributes")
        return
    yield from check_queue(queue, answer["Attributes"])


def check_queue(queue: str, attributes: Mapping[str, str]) -> Iterator[str]:
    """Report attributes of a queue that differ from deploy/aws/queues.yaml and lose, repeat or delay tasks."""
    seconds = int(attributes["VisibilityTimeout"])
    if seconds != VISIBILITY_TIMEOUT:
        yield f"VisibilityTimeout of {queue} is {seconds} s, not {VISIBILITY_TIMEOUT} s. Deploy queues.yaml again"
    if "RedrivePolicy" not in attributes:
        yield f"{queue} has no RedrivePolicy: a poison task is redelivered for days. Deploy queues.yaml again"
    states = {"": "ready", "NotVisible": "unacknowledged", "Delayed": "scheduled"}
    numbers = [f"{attributes.get(f'ApproximateNumberOfMessages{key}', 0)} {state}" for key, state in states.items()]
    yield Note(", ".join(numbers))
