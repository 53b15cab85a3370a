"""What Amazon SQS needs beyond settings: where the queues are, and how a task is delayed."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from celery.signals import before_task_publish
from celery.utils.time import maybe_make_aware
from kombu.transport import TRANSPORT_ALIASES

from {{ cookiecutter.project_slug }}.queues import QueueName

LONGEST_DELAY = 900
"""Seconds for which SQS delays a message at most; a worker publishes one that is due later again (sqs_transport.py)."""

VISIBILITY_TIMEOUT = {{ plan().limits.sqs_visibility_timeout }}
"""Seconds after which SQS redelivers a message, unless its worker extends them; also in deploy/aws/queues.yaml."""

# What `sqs://` stands for in a broker's URL.
TRANSPORT_ALIASES["sqs"] = "{{ cookiecutter.project_slug }}.sqs_transport:Transport"


def predefined_queues(prefix: str) -> dict[str, dict[str, str]]:
    """Where each queue is: the URLs of all of them begin with the same `prefix`."""
    return {name.value: {"url": prefix + name.value} for name in QueueName}


def seconds_until_due(headers: Mapping[str, Any]) -> float:
    """Return the seconds until the `eta` in the headers of a task, which is UTC if it names no time zone; 0 without."""
    eta = headers.get("eta")
    return (maybe_make_aware(datetime.fromisoformat(eta)) - datetime.now(UTC)).total_seconds() if eta else 0.0


@before_task_publish.connect
def let_sqs_delay(headers: dict[str, Any], properties: dict[str, Any], **_: Any) -> None:
    """Let SQS delay a task with `countdown` or `eta`, and each retry.

    Otherwise a worker would receive it at once and hold it until it is due, invisible to the others and counted
    as a delivery, so that a few restarts would make it a dead letter.
    """
    if headers.get("eta"):
        properties["DelaySeconds"] = max(0, min(int(seconds_until_due(headers)), LONGEST_DELAY))
