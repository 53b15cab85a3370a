"""The URLs of queues on Amazon SQS, and delays of tasks."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from celery.signals import before_task_publish
from celery.utils.time import maybe_make_aware
from kombu.transport import TRANSPORT_ALIASES

from {{ cookiecutter.project_slug }}.queues import QueueName

MAX_DELAY = 900
"""The maximum delay of SQS in seconds. A worker republishes a message that is due later (sqs_transport.py)."""

VISIBILITY_TIMEOUT = {{ plan().limits.sqs_visibility_timeout }}
"""Seconds until SQS redelivers a message, unless its worker extends them. deploy/aws/queues.yaml has the same value."""

# The transport for broker URLs with `sqs://`.
TRANSPORT_ALIASES["sqs"] = "{{ cookiecutter.project_slug }}.sqs_transport:Transport"


def build_predefined_queues(prefix: str) -> dict[str, dict[str, str]]:
    """Return the URL of each queue: the prefix and the name of the queue."""
    return {name.value: {"url": prefix + name.value} for name in QueueName}


def get_seconds_until_due(headers: Mapping[str, Any]) -> float:
    """Return the seconds until the `eta` of a task, or 0 without an `eta`. Without a time zone, `eta` is UTC."""
    eta = headers.get("eta")
    return (maybe_make_aware(datetime.fromisoformat(eta)) - datetime.now(UTC)).total_seconds() if eta else 0.0


@before_task_publish.connect
def set_delay(headers: dict[str, Any], properties: dict[str, Any], **_: Any) -> None:
    """Set the delay of a task with `countdown` or `eta`, or of a retry, as `DelaySeconds`.

    Without it, a worker would receive the message immediately and delay the task itself. Each restart would count as
    another delivery, so the task could become a dead letter.
    """
    if headers.get("eta"):
        properties["DelaySeconds"] = max(0, min(int(get_seconds_until_due(headers)), MAX_DELAY))
