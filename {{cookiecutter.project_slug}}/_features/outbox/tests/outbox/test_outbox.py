"""The outbox: tasks are stored in a transaction, and published by the relay with their options."""

import datetime
import signal
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from celery import shared_task
from celery.exceptions import QueueNotFound
{% if plan().features.tracing %}
from opentelemetry import trace
{% endif %}
{% if plan().features.outbox_metrics %}
from prometheus_client import REGISTRY
{% endif %}
from structlog.contextvars import bound_contextvars

{% if plan().features.outbox_metrics %}
from {{ cookiecutter.project_slug }} import health, outbox_metrics
{% else %}
from {{ cookiecutter.project_slug }} import health
{% endif %}
from {{ cookiecutter.project_slug }}.base_task import BaseTask
from {{ cookiecutter.project_slug }}.outbox import relay, store
from {{ cookiecutter.project_slug }}.outbox.messages import publish
from {{ cookiecutter.project_slug }}.outbox.models import OutboxMessage

from ..conftest import WaitForTask
from .conftest import apply_async, change, delay, messages

{% if plan().features.outbox_django %}
pytestmark = pytest.mark.django_db

{% endif %}
Published = list[dict[str, Any]]


@shared_task(base=BaseTask)
def greet(name: str, *, times: int = 1) -> None:
    """Do nothing."""


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> Published:
    """Return the headers, the body and the properties of each message that is published, without a broker."""
    found: Published = []

    def record(_: Any, __: str, message: Any, **options: Any) -> None:
        found.append({"body": message.body, **message.headers, **message.properties, **options})

    monkeypatch.setattr(greet.app.amqp, "send_task_message", record)
    return found


def relay_all() -> None:
    """Publish the messages that are due."""
    while relay.Relay().step():
        pass


def parse_time(text: str) -> datetime.datetime:
    """Return a time of a message."""
    return datetime.datetime.fromisoformat(text)


def now() -> datetime.datetime:
    """Return the current time."""
    return datetime.datetime.now(datetime.UTC)


def test_a_task_is_published_with_its_id_and_deleted(published: Published) -> None:
    result = delay(greet, "Ada", times=2)
    assert published == []
    relay_all()
    (message,) = published
    assert (message["id"], message["task"]) == (result.id, greet.name)
    assert message["body"][:2] == (["Ada"], {"times": 2})
    assert messages() == []


def test_the_options_are_kept(published: Published) -> None:
    eta = datetime.datetime(2099, 1, 2, tzinfo=datetime.UTC)
    link = greet.si("Bob").set(priority=3)
    options = {"priority": 5, "headers": {"tenant": "a"}, "link": link, "time_limit": 7}
    apply_async(greet, ("Ada",), task_id="an-id", eta=eta, expires=eta, **options)
    relay_all()
    (message,) = published
    assert message["id"] == message["correlation_id"] == "an-id"
    for field in ("eta", "expires"):
        assert parse_time(message[field]).replace(second=0, microsecond=0) == eta  # RabbitMQ delays for whole seconds
    assert (message["priority"], message["timelimit"][0]) == (5, 7)
    assert message["headers"]["tenant"] == "a"
    (callback,) = message["body"][2]["callbacks"]
    assert (callback["args"], callback["options"]["priority"]) == (["Bob"], 3)


def test_delays_begin_when_the_task_is_stored(published: Published) -> None:
    before = now()
    apply_async(greet, ("Ada",), countdown=60, expires=3600)
    relay_all()
    (message,) = published
    for field, seconds in (("eta", 60), ("expires", 3600)):
        delay = parse_time(message[field]) - before
        assert seconds <= delay.total_seconds() < seconds + 10


def test_a_task_keeps_the_request_id_of_its_caller(published: Published) -> None:
    with bound_contextvars(request_id="a-request"):
        delay(greet, "Ada")
    relay_all()
    assert published[0]["headers"]["request_id"] == "a-request"


{% if plan().features.tracing %}
def test_a_task_continues_the_trace_of_its_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    current = trace.SpanContext(trace_id=1, span_id=2, is_remote=False)
    with trace.use_span(trace.NonRecordingSpan(current)):
        delay(greet, "Ada")
    parents: list[trace.SpanContext] = []

    def record(*_: Any, **__: Any) -> None:
        parents.append(trace.get_current_span().get_span_context())

    monkeypatch.setattr(greet, "apply_async", record)
    relay_all()
    assert [(parent.trace_id, parent.span_id) for parent in parents] == [(1, 2)]


{% endif %}
def test_a_task_keeps_the_ids_of_its_parent(published: Published) -> None:
    @shared_task(base=BaseTask)
    def parent() -> str:
        return delay(greet, "Ada").id

    applied = parent.apply()
    relay_all()
    (message,) = published
    assert (message["id"], message["parent_id"], message["root_id"]) == (applied.result, applied.id, applied.id)


@pytest.mark.parametrize(
    ("store", "error"),
    [
        (lambda: delay(greet), TypeError),
        (lambda: delay(greet, object()), TypeError),
        (lambda: apply_async(greet, ("Ada",), queue="no-such-queue"), QueueNotFound),
    ],
)
def test_an_invalid_task_fails_when_it_is_stored(store: Callable[[], Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        store()
    assert messages() == []


def test_a_message_that_cannot_be_published_does_not_block_others(published: Published) -> None:
    apply_async(greet, ("Ada",), task_id="invalid")
    change(options='{"queue": "no-such-queue"}')
    apply_async(greet, ("Bob",), task_id="valid")
    relay_all()
    assert [message["id"] for message in published] == ["valid"]
    (message,) = messages()
    assert (message.task_id, message.attempts) == ("invalid", 1)
    assert "no-such-queue" in message.last_error


def test_the_delay_doubles_with_each_failed_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "publish", Mock(side_effect=ConnectionError("refused")))
    delay(greet, "Ada")
    delays = []
    for _ in range(8):
        started = now()
        relay_all()
        (message,) = messages()
        delays.append(round((message.next_attempt_at.replace(tzinfo=datetime.UTC) - started).total_seconds()))
        change(next_attempt_at=started)
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_task_of_another_release_is_kept(published: Published) -> None:
    delay(greet, "Ada")
    change(task="removed.task")
    relay_all()
    assert "removed.task" in messages()[0].last_error
    assert published == []


def test_a_message_is_kept_if_the_relay_is_killed_before_the_commit(published: Published) -> None:
    def publish_and_stop(message: OutboxMessage) -> bool:
        publish(message)
        raise KeyboardInterrupt

    apply_async(greet, ("Ada",), task_id="an-id")
    with pytest.raises(KeyboardInterrupt):
        store.process_next(publish_and_stop)
    relay_all()
    assert [message["id"] for message in published] == ["an-id", "an-id"]


def test_the_relay_reports_that_it_is_alive_until_sigterm(monkeypatch: pytest.MonkeyPatch) -> None:
    states: list[str] = []
    steps = iter((True, False))
    monkeypatch.setattr(health, "notify_systemd", states.append)
    monkeypatch.setattr("time.sleep", lambda _: signal.raise_signal(signal.SIGTERM))
    monkeypatch.setattr(store, "process_next", lambda _: next(steps))
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        relay.Relay().run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert states == ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]
{% if plan().features.outbox_metrics %}


def test_the_exporter_has_the_number_and_the_age_of_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    def read() -> list[float]:
        outbox_metrics.update()
        names = ("celery_outbox_messages", "celery_outbox_oldest_message_age_seconds")
        return [REGISTRY.get_sample_value(name) or 0 for name in names]

{% if plan().features.outbox_django %}
    monkeypatch.setattr(store, "close_old_connections", Mock())  # the connection of the test's transaction
{% endif %}
    assert read() == [0, 0]
    delay(greet, "Ada")
    change(created_at=now() - datetime.timedelta(minutes=10))
    number, age = read()
    assert (number, round(age / 60)) == (1, 10)
    monkeypatch.setattr(store, "OUTAGES", (ConnectionError,))
    monkeypatch.setattr(store, "measure", Mock(side_effect=ConnectionError("refused")))
    assert not any(value >= 0 for value in read())
{% endif %}


@pytest.mark.integration
{% if plan().features.outbox_django %}
@pytest.mark.django_db(transaction=True)
{% endif %}
@pytest.mark.usefixtures("worker")
def test_a_worker_runs_a_task_of_the_outbox(wait_for_task: WaitForTask) -> None:
    result = delay(greet, "Ada")
    relay_all()
    assert wait_for_task(result.id) == "SUCCESS"
