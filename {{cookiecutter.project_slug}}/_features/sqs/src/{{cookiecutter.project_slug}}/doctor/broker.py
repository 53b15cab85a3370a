"""The broker: queues on Amazon SQS that are what `deploy/aws/queues.yaml` makes.

SQS can ask neither workers nor beat, and tells nobody how long a message has waited: their supervisors look at
their heartbeats, and CloudWatch has ApproximateAgeOfOldestMessage.
"""

import time
from collections.abc import Iterator, Mapping
from email.utils import parsedate_to_datetime
from typing import Any

from botocore.exceptions import ClientError

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.dead_letter_store import url_of
from {{ cookiecutter.project_slug }}.doctor import visibility
from {{ cookiecutter.project_slug }}.doctor.checks import backlog, clock, dead_letters, skew_of
from {{ cookiecutter.project_slug }}.doctor.findings import Finding, failure, ok, warning
from {{ cookiecutter.project_slug }}.queues import QueueName

Attributes = Mapping[str, str]
"""What SQS says of a queue: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/"""


def examine() -> Iterator[Finding]:
    """Ask for the attributes of every queue, and of its dead letters'."""
    with app.connection_for_read() as connection:
        channel: Any = connection.default_channel
        dead, refused, skew = 0, "", 0.0
        yield ok("broker", "SQS answers")
        yield visibility.room(app)
        for queue in QueueName:
            client = channel.sqs(queue=queue.value)
            asked = time.time()
            try:
                answer = client.get_queue_attributes(QueueUrl=url_of(queue), AttributeNames=["All"])
            except ClientError as error:
                yield missing(queue.value, error.response["Error"]["Code"])
                continue
            skew = clock_skew(answer["ResponseMetadata"]["HTTPHeaders"].get("date", ""), asked) or skew
            yield holding(queue.value, answer["Attributes"], app.conf.broker_transport_options["visibility_timeout"])
            yield redrive(queue.value, answer["Attributes"])
            yield taken(queue.value, answer["Attributes"])
            try:
                letters = client.get_queue_attributes(QueueUrl=f"{url_of(queue)}-DLQ", AttributeNames=["All"])
                dead += int(letters["Attributes"]["ApproximateNumberOfMessages"])
            except ClientError as error:
                refused = error.response["Error"]["Code"]
        yield unseen(refused) if refused else dead_letters(dead)
        yield clock("SQS", skew)


def clock_skew(date: str, asked: float) -> float:
    """By how many seconds SQS is ahead, by the date of an answer, which has no fractions of seconds."""
    if not date:
        return 0.0
    return skew_of(parsedate_to_datetime(date).timestamp(), asked - 1, time.time())


def missing(queue: str, code: str) -> Finding:
    """A queue of which SQS does not tell."""
    advice = "deploy deploy/aws/queues.yaml; are AWS_REGION, SQS_QUEUE_URL_PREFIX and the credentials right?"
    return failure(f"queue {queue}", f"SQS says {code}", advice)


def unseen(code: str) -> Finding:
    """Dead letters that may not be counted."""
    advice = "ask again with OperatorPolicy of deploy/aws/queues.yaml"
    return warning("dead letters", f"SQS says {code}", advice)


def holding(queue: str, attributes: Attributes, expected: int) -> Finding:
    """Whether SQS leaves a message to its worker for as many seconds as the settings say."""
    seconds = int(attributes["VisibilityTimeout"])
    what = f"its VisibilityTimeout is {seconds} s"
    if seconds < expected:
        return failure(f"queue {queue}", what, f"{expected} s are needed, or tasks run twice: deploy queues.yaml again")
    return ok(f"queue {queue}", what)


def redrive(queue: str, attributes: Attributes) -> Finding:
    """Whether there is an end for a message that takes one worker after the other with it."""
    if "RedrivePolicy" not in attributes:
        advice = "deploy queues.yaml again: what nobody can run comes back for days"
        return failure(f"queue {queue}", "it has no RedrivePolicy", advice)
    return ok(f"queue {queue}", f"what nobody can run becomes a dead letter in {queue}-DLQ")


def taken(queue: str, attributes: Attributes) -> Finding:
    """How many tasks wait, and whether anybody takes some."""
    waiting = int(attributes["ApproximateNumberOfMessages"])
    if waiting and not int(attributes["ApproximateNumberOfMessagesNotVisible"]):
        what = f"{waiting} waiting, and no worker has any in its hands"
        return warning(f"queue {queue}", what, f"is a worker running for it? Look at the health check of {queue}'s")
    return backlog(queue, waiting)
