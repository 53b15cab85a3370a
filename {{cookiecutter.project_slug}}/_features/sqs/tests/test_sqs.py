"""Every queue is predefined and deployed, SQS itself delays tasks, and a worker outlasts an outage."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from kombu import Connection

from {{ cookiecutter.project_slug }} import sqs, sqs_transport
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
def length(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Takes the place of the request for the length of a queue; nothing here sends one."""
    ask = Mock(return_value=0)
    monkeypatch.setattr(sqs_transport.Channel, "_size", ask)
    return ask


@pytest.fixture
def connection() -> Iterator[Connection]:
    """A connection with the transport and the options of production."""
    with Connection("sqs://", transport_options=app.conf.broker_transport_options) as made:
        yield made


def test_who_publishes_tries_again_until_sqs_answers(connection: Connection, length: Mock) -> None:
    length.side_effect = [ConnectionError(), ConnectionError(), 0]
    connection.ensure_connection(max_retries=3, interval_start=0, interval_step=0)
    assert length.call_count == 3


@pytest.mark.parametrize("status", [500, 503])
def test_a_failure_of_sqs_is_an_outage(connection: Connection, status: int) -> None:
    with pytest.raises(connection.recoverable_connection_errors):
        sqs_transport.take_for_outage(Mock(status_code=status))


@pytest.mark.parametrize("status", [200, 400, 403])
def test_a_mistake_of_ours_is_none(status: int) -> None:
    sqs_transport.take_for_outage(Mock(status_code=status))


@pytest.fixture
def channel(connection: Connection, length: Mock) -> Any:
    """A channel of that connection."""
    return connection.channel()


def test_no_answer_is_no_message_and_the_next_question_waits_a_moment(channel: Any) -> None:
    url = "https://sqs.example.com/123456789012/queue"
    assert channel._on_messages_ready(url, "queue", []) == 0
    assert channel.connection.polling_interval > 0
    assert channel._on_messages_ready(url, "queue", {"ResponseMetadata": {}}) == 0
    assert channel.connection.polling_interval == 0


def test_a_request_ends_when_its_time_is_over() -> None:
    curl = Mock()
    sqs_transport.limit_time(curl)
    limits = {call.args[0]: call.args[1] for call in curl.setopt.call_args_list}
    assert limits[curl.TIMEOUT] > app.conf.broker_transport_options["wait_time_seconds"]
