"""What Amazon SQS needs beyond settings: where the queues are, and how a task is delayed."""

from datetime import UTC, datetime
from typing import Any

from celery.signals import before_task_publish
from kombu.transport import TRANSPORT_ALIASES

from {{ cookiecutter.project_slug }}.queues import QueueName

LONGEST_DELAY = 900
"""Seconds for which SQS keeps a message back at most."""

# What `sqs://` stands for in a broker's URL.
TRANSPORT_ALIASES["sqs"] = "{{ cookiecutter.project_slug }}.sqs_transport:Transport"


def predefined_queues(prefix: str) -> dict[str, dict[str, str]]:
    """Where each queue is: the URLs of all of them begin with the same `prefix`."""
    return {name.value: {"url": prefix + name.value} for name in QueueName}


@before_task_publish.connect
def let_sqs_delay(headers: dict[str, Any], properties: dict[str, Any], **_: Any) -> None:
    """Let SQS keep a task with `countdown` or `eta` back, and each retry.

    Otherwise a worker would take it at once and hold it until it is due, invisible to the others and counted
    as a delivery, so that a few restarts would make it a dead letter.
    """
    if eta := headers.get("eta"):
        delay = (datetime.fromisoformat(eta) - datetime.now(UTC)).total_seconds()
        properties["DelaySeconds"] = max(0, min(int(delay), LONGEST_DELAY))
