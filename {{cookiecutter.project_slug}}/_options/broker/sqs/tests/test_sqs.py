"""Every queue is predefined and deployed, SQS itself delays tasks, and a worker outlasts an outage."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from kombu import Connection

from {{ cookiecutter.project_slug }} import sqs
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queues import QueueName

TEMPLATE = Path(__file__).parents[1] / "deploy" / "aws" / "queues.yaml"


def test_every_queue_is_predefined() -> None:
    queues = app.conf.broker_transport_options["predefined_queues"]
    assert set(queues) == set(QueueName)
    for name in QueueName:
        assert queues[name]["url"].endswith(f"-{name}")


def test_every_queue_is_deployed_with_a_queue_for_its_dead_letters() -> None:
    deployed = re.findall(r"QueueName: !Sub \$\{Prefix\}(\S+)", TEMPLATE.read_text(encoding="utf-8"))
    assert sorted(deployed) == sorted([*QueueName, *(f"{name}-DLQ" for name in QueueName)])


def test_a_queue_hides_a_message_for_as_long_as_the_settings_say() -> None:
    (hidden,) = set(re.findall(r"VisibilityTimeout: (\d+)", TEMPLATE.read_text(encoding="utf-8")))
    assert int(hidden) == app.conf.broker_transport_options["visibility_timeout"]


@pytest.mark.parametrize(("countdown", "delay"), [(-5, 0), (30.5, 30), (900, 899), (5000, 900)])
def test_sqs_delays_what_is_due_later(countdown: float, delay: int) -> None:
    eta = app.now() + timedelta(seconds=countdown)
    properties: dict[str, Any] = {}
    sqs.let_sqs_delay(headers={"eta": eta.isoformat()}, properties=properties)
    assert properties == {"DelaySeconds": delay}


def test_what_is_due_now_is_not_delayed() -> None:
    properties: dict[str, Any] = {}
    sqs.let_sqs_delay(headers={"eta": None}, properties=properties)
    assert properties == {}


@pytest.fixture
def channel() -> Iterator[Any]:
    """A channel of the transport that production uses; nothing here sends a request."""
    with Connection("sqs://", transport_options=app.conf.broker_transport_options) as connection:
        yield connection.channel()


def test_no_answer_is_no_message_and_the_next_question_waits_a_moment(channel: Any) -> None:
    url = "https://sqs.example.com/123456789012/queue"
    assert channel._on_messages_ready(url, "queue", []) == 0
    assert channel.connection.polling_interval > 0
    assert channel._on_messages_ready(url, "queue", {"ResponseMetadata": {}}) == 0
    assert channel.connection.polling_interval == 0


def test_a_request_ends_when_its_time_is_over() -> None:
    from {{ cookiecutter.project_slug }}.sqs_transport import limit_time

    curl = Mock()
    limit_time(curl)
    limits = {call.args[0]: call.args[1] for call in curl.setopt.call_args_list}
    assert limits[curl.TIMEOUT] > app.conf.broker_transport_options["wait_time_seconds"]
