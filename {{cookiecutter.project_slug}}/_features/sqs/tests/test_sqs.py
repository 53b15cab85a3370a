"""Queues and their deployment, delays, outages and visibility timeouts on Amazon SQS."""

import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from queue import Empty
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError
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


def test_every_queue_is_deployed_with_a_dead_letter_queue() -> None:
    deployed = re.findall(r"QueueName: !Sub \$\{Prefix\}(\S+)", TEMPLATE.read_text(encoding="utf-8"))
    assert sorted(deployed) == sorted([*QueueName, *(f"{name}-DLQ" for name in QueueName)]), (
        "deploy/aws/queues.yaml: for a new queue, copy the two resources of another queue, and change the queue"
    )


@pytest.mark.parametrize("policy", ["OnlyTLS", "WorkerPolicy", "PublisherPolicy"])
def test_a_policy_applies_to_every_queue(policy: str) -> None:
    text = TEMPLATE.read_text(encoding="utf-8")
    queues = set(re.findall(r"!GetAtt (\w+)DeadLetters\.Arn", text))
    section, *_ = re.findall(rf"^  {policy}:\n(?:    .*\n)+", text, re.MULTILINE)
    different = ", ".join(sorted(queues ^ set(re.findall(r"- !(?:Ref|GetAtt) (\w+)", section))))
    assert not different, f"deploy/aws/queues.yaml, {policy}: add to the list, or remove: {different}"


def test_queues_have_the_visibility_timeout_that_workers_extend() -> None:
    (timeout,) = set(re.findall(r"VisibilityTimeout: (\d+)", TEMPLATE.read_text(encoding="utf-8")))
    assert int(timeout) == sqs.VISIBILITY_TIMEOUT


@pytest.mark.parametrize(("countdown", "delay"), [(-5, 0), (30.5, 30), (900, 899), (5000, 900)])
def test_a_delayed_task_has_delay_seconds(countdown: float, delay: int) -> None:
    eta = app.now() + timedelta(seconds=countdown)
    properties: dict[str, Any] = {}
    sqs.set_delay(headers={"eta": eta.isoformat()}, properties=properties)
    assert properties == {"DelaySeconds": delay}


def test_an_eta_without_a_time_zone_is_utc() -> None:
    eta = datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=100)
    assert sqs.get_seconds_until_due({"eta": eta.isoformat()}) == pytest.approx(100, abs=5)


def test_a_task_without_an_eta_is_not_delayed() -> None:
    properties: dict[str, Any] = {}
    sqs.set_delay(headers={"eta": None}, properties=properties)
    assert properties == {}


@pytest.fixture
def get_length(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Replace the request for the length of a queue with a mock."""
    get = Mock(return_value=0)
    monkeypatch.setattr(sqs_transport.Channel, "_size", get)
    return get


@pytest.fixture
def connection() -> Iterator[Connection]:
    """Return a connection with the transport and the options of production."""
    with Connection("sqs://", transport_options=app.conf.broker_transport_options) as sqs_connection:
        yield sqs_connection


def test_a_publisher_connects_when_sqs_is_available_again(connection: Connection, get_length: Mock) -> None:
    get_length.side_effect = [ConnectionError(), ConnectionError(), 0]
    connection.ensure_connection(max_retries=3, interval_start=0, interval_step=0)
    assert get_length.call_count == 3


@pytest.mark.parametrize("status", [500, 503])
def test_a_server_error_is_a_connection_error(connection: Connection, status: int) -> None:
    with pytest.raises(connection.recoverable_connection_errors):
        sqs_transport.raise_server_error(Mock(status_code=status))


@pytest.mark.parametrize("status", [200, 400, 403])
def test_a_client_error_is_not_a_connection_error(status: int) -> None:
    sqs_transport.raise_server_error(Mock(status_code=status))


@pytest.fixture
def channel(connection: Connection, get_length: Mock) -> Any:
    """Return a channel of the connection."""
    return connection.channel()


def test_a_request_without_a_response_is_retried_after_an_interval(channel: Any) -> None:
    url = "https://sqs.example.com/123456789012/queue"
    assert channel._on_messages_ready(url, "queue", []) == 0
    assert channel.connection.polling_interval > 0
    assert channel._on_messages_ready(url, "queue", {"ResponseMetadata": {}}) == 0
    assert channel.connection.polling_interval == 0


def test_a_queue_that_is_resumed_during_a_request_has_one_request(
    channel: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scheduled: list[tuple[Any, ...]] = []
    request = Mock()
    monkeypatch.setattr(channel, "hub", Mock(call_soon=lambda *call: scheduled.append(call)))
    monkeypatch.setattr(channel, "asynsqs", Mock())
    monkeypatch.setattr(channel, "_get_from_sqs", request)
    queue = next(iter(QueueName)).value

    def run_main_loop() -> None:
        while scheduled:
            function, *arguments = scheduled.pop(0)
            function(*arguments)

    consume = partial(channel.basic_consume, queue, no_ack=False, callback=Mock())
    consume(consumer_tag="running")
    run_main_loop()
    channel.basic_cancel("running")
    consume(consumer_tag="resumed")
    run_main_loop()
    assert request.call_count == 1
    request.call_args.kwargs["callback"]({"ResponseMetadata": {}})
    run_main_loop()
    assert request.call_count == 2


def test_the_timeout_of_a_request_is_longer_than_a_long_poll() -> None:
    curl = Mock()
    sqs_transport.set_timeouts(curl)
    timeouts = {call.args[0]: call.args[1] for call in curl.setopt.call_args_list}
    assert timeouts[curl.TIMEOUT] > app.conf.broker_transport_options["wait_time_seconds"]


def receive(channel: Any, callback: Mock, **headers: Any) -> Any:
    """Deliver a message with these headers to a consumer, as kombu does. Return the message."""
    queue = next(iter(QueueName)).value
    channel.basic_consume(queue, no_ack=False, callback=callback, consumer_tag="tag")
    info = {"exchange": "", "routing_key": queue, "sqs_queue": "url", "sqs_message": {"ReceiptHandle": "receipt"}}
    properties = {"delivery_tag": "receipt", "delivery_info": info, "body_encoding": "base64"}
    channel.connection._callbacks[queue]({"body": "e30=", "headers": headers, "properties": properties})
    return channel.qos.get("receipt")


@pytest.fixture
def client(channel: Any, monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Replace the client of SQS with a mock."""
    sqs_client = Mock()
    monkeypatch.setattr(channel, "sqs", Mock(return_value=sqs_client))
    monkeypatch.setattr(channel, "hub", None)  # no polling
    return sqs_client


@pytest.mark.parametrize(("seconds", "delay"), [(5000, 900), (600, 599)])
def test_a_message_that_is_due_later_is_republished_and_acknowledged(
    channel: Any, client: Mock, seconds: int, delay: int
) -> None:
    consumed = Mock()
    eta = datetime.now(UTC) + timedelta(seconds=seconds)
    receive(channel, consumed, eta=eta.isoformat(), retries=2)
    assert client.send_message.call_args.kwargs["DelaySeconds"] == delay
    sent = json.loads(base64.b64decode(client.send_message.call_args.kwargs["MessageBody"]))
    assert sent["headers"] == {"eta": eta.isoformat(), "retries": 2}
    assert sent["body"] == "e30="
    client.delete_message.assert_called_once_with(QueueUrl="url", ReceiptHandle="receipt")
    consumed.assert_not_called()


@pytest.mark.parametrize("eta", [None, "2026-01-01T00:00:00+00:00", "soon"])
def test_a_due_message_is_consumed(channel: Any, client: Mock, eta: str | None) -> None:
    consumed = Mock()
    message = receive(channel, consumed, eta=eta)
    consumed.assert_called_once_with(message)
    client.send_message.assert_not_called()


@pytest.mark.parametrize("is_paused", [False, True])
def test_a_gevent_worker_that_cannot_consume_does_not_poll(
    connection: Connection, channel: Any, client: Mock, monkeypatch: pytest.MonkeyPatch, is_paused: bool
) -> None:
    receive(channel, Mock())
    channel.qos.prefetch_count = 1
    if is_paused:
        channel.basic_cancel("tag")
    poll = Mock(side_effect=Empty)
    monkeypatch.setattr(channel, "drain_events", poll)
    with pytest.raises(TimeoutError):
        connection.drain_events(timeout=0.05)
    assert not poll.called


def test_a_message_that_cannot_be_republished_is_consumed(channel: Any, client: Mock) -> None:
    consumed = Mock()
    client.send_message.side_effect = ConnectionError
    message = receive(channel, consumed, eta=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    consumed.assert_called_once_with(message)
    client.delete_message.assert_not_called()


def test_a_task_is_acknowledged_after_its_connection_is_closed(channel: Any, client: Mock) -> None:
    message = receive(channel, Mock())
    channel.close()
    message.ack()
    client.delete_message.assert_called_once_with(QueueUrl="url", ReceiptHandle="receipt")


def test_a_failed_acknowledgement_does_not_stop_the_worker(
    channel: Any, client: Mock, caplog: pytest.LogCaptureFixture
) -> None:
    message = receive(channel, Mock())
    channel.close()
    client.delete_message.side_effect = ClientError({"Error": {"Code": "ReceiptHandleIsInvalid"}}, "DeleteMessage")
    message.ack()
    assert "message not acknowledged" in caplog.text


@pytest.fixture
def extender(channel: Any, client: Mock) -> sqs_transport.VisibilityExtender:
    """Return the extender of a worker that consumes from this channel. Its thread is not started."""
    client.change_message_visibility_batch.return_value = {"Successful": []}
    return sqs_transport.VisibilityExtender(Mock(task_consumer=Mock(channel=channel)))


def add_unacknowledged(channel: Any, count: int) -> None:
    """Add unacknowledged messages to the channel."""
    for number in range(count):
        channel.qos.append(Mock(delivery_tag=f"receipt {number}", url="url"), f"receipt {number}")


def test_the_timeouts_of_all_unacknowledged_messages_are_extended_in_batches(
    channel: Any, client: Mock, extender: sqs_transport.VisibilityExtender
) -> None:
    add_unacknowledged(channel, 12)
    channel.qos.ack("receipt 0")
    extender.extend()
    calls = [call.kwargs for call in client.change_message_visibility_batch.call_args_list]
    assert [len(call["Entries"]) for call in calls] == [10, 1]
    entries = [entry for call in calls for entry in call["Entries"]]
    assert {entry["ReceiptHandle"] for entry in entries} == {f"receipt {count}" for count in range(1, 12)}
    assert {entry["VisibilityTimeout"] for entry in entries} == {sqs.VISIBILITY_TIMEOUT}


def test_the_timeout_of_a_running_task_is_extended_after_its_connection_is_closed(
    client: Mock, extender: sqs_transport.VisibilityExtender, monkeypatch: pytest.MonkeyPatch
) -> None:
    extender.consumer.task_consumer = None
    requests = [
        Mock(acknowledged=acknowledged, message=Mock(delivery_tag=tag, url="url"))
        for acknowledged, tag in ((False, "0"), (True, "1"))
    ]
    monkeypatch.setattr("celery.worker.state.active_requests", requests)
    extender.extend()
    (entry,) = client.change_message_visibility_batch.call_args.kwargs["Entries"]
    assert entry["ReceiptHandle"] == "0"


def test_a_failed_extension_is_logged_unless_the_message_was_acknowledged(
    channel: Any, client: Mock, extender: sqs_transport.VisibilityExtender, caplog: pytest.LogCaptureFixture
) -> None:
    add_unacknowledged(channel, 2)

    def fail(**_: Any) -> Any:
        channel.qos.ack("receipt 0")
        return {"Failed": [{"Id": "0"}, {"Id": "1"}]}

    client.change_message_visibility_batch.side_effect = fail
    extender.extend()
    assert "running tasks may be redelivered: 1 of" in caplog.text


@pytest.mark.parametrize("alive", [True, False])
def test_a_worker_with_a_hanging_main_loop_does_not_extend_timeouts(
    alive: bool, channel: Any, client: Mock, extender: sqs_transport.VisibilityExtender, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_unacknowledged(channel, 1)
    monkeypatch.setattr(sqs_transport, "heartbeat", Mock(is_healthy=alive))
    monkeypatch.setattr("time.sleep", Mock(side_effect=[None, SystemExit]))
    with pytest.raises(SystemExit):
        extender.run()
    assert client.change_message_visibility_batch.called == alive
