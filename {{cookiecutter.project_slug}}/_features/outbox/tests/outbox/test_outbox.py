"""The outbox: tasks are stored in the transaction, and published by the relay with their options."""

import datetime
import signal
from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from celery import shared_task
from celery.exceptions import QueueNotFound
from django.core.management import call_command
from django.db import OperationalError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone
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
from {{ cookiecutter.project_slug }}.outbox import relay
from {{ cookiecutter.project_slug }}.outbox.models import OutboxMessage

from ..conftest import WaitForTask

pytestmark = pytest.mark.django_db

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
    while relay.relay_next():
        pass


def parse_time(text: str) -> datetime.datetime:
    """Return a time of a message."""
    return datetime.datetime.fromisoformat(text)


def make_due(message: OutboxMessage) -> None:
    """Set the time of the next attempt to now."""
    OutboxMessage.objects.filter(pk=message.pk).update(next_attempt_at=timezone.now())


def test_a_task_is_published_with_its_id_and_deleted(published: Published) -> None:
    result = greet.delay_in_transaction("Ada", times=2)
    assert published == []
    relay_all()
    (message,) = published
    assert (message["id"], message["task"]) == (result.id, greet.name)
    assert message["body"][:2] == (["Ada"], {"times": 2})
    assert not OutboxMessage.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_rollback_publishes_no_task(published: Published) -> None:
    with transaction.atomic():
        greet.delay_in_transaction("Ada")
        transaction.set_rollback(True)
    relay_all()
    assert published == []


def test_the_options_are_kept(published: Published) -> None:
    eta = datetime.datetime(2099, 1, 2, tzinfo=datetime.UTC)
    link = greet.si("Bob").set(priority=3)
    greet.apply_async_in_transaction(
        ("Ada",), task_id="an-id", eta=eta, expires=eta, priority=5, headers={"tenant": "a"}, link=link, time_limit=7
    )
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
    before = timezone.now()
    greet.apply_async_in_transaction(("Ada",), countdown=60, expires=3600)
    relay_all()
    (message,) = published
    for field, seconds in (("eta", 60), ("expires", 3600)):
        delay = parse_time(message[field]) - before
        assert seconds <= delay.total_seconds() < seconds + 10


def test_a_task_keeps_the_request_id_of_its_caller(published: Published) -> None:
    with bound_contextvars(request_id="a-request"):
        greet.delay_in_transaction("Ada")
    relay_all()
    assert published[0]["headers"]["request_id"] == "a-request"


{% if plan().features.tracing %}
def test_a_task_continues_the_trace_of_its_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    current = trace.SpanContext(trace_id=1, span_id=2, is_remote=False)
    with trace.use_span(trace.NonRecordingSpan(current)):
        greet.delay_in_transaction("Ada")
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
        return greet.delay_in_transaction("Ada").id

    applied = parent.apply()
    relay_all()
    (message,) = published
    assert (message["id"], message["parent_id"], message["root_id"]) == (applied.result, applied.id, applied.id)


@pytest.mark.parametrize(
    ("store", "error"),
    [
        (lambda: greet.delay_in_transaction(), TypeError),
        (lambda: greet.delay_in_transaction(object()), TypeError),
        (lambda: greet.apply_async_in_transaction(("Ada",), queue="no-such-queue"), QueueNotFound),
    ],
)
def test_an_invalid_task_fails_when_it_is_stored(store: Callable[[], Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        store()
    assert not OutboxMessage.objects.exists()


def test_a_message_that_cannot_be_published_does_not_block_others(published: Published) -> None:
    greet.apply_async_in_transaction(("Ada",), task_id="invalid")
    greet.apply_async_in_transaction(("Bob",), task_id="valid")
    OutboxMessage.objects.filter(task_id="invalid").update(options='{"queue": "no-such-queue"}')
    relay_all()
    assert [message["id"] for message in published] == ["valid"]
    message = OutboxMessage.objects.get()
    assert (message.task_id, message.attempts) == ("invalid", 1)
    assert "no-such-queue" in message.last_error


def test_the_delay_doubles_with_each_failed_attempt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "publish", Mock(side_effect=ConnectionError("refused")))
    greet.delay_in_transaction("Ada")
    delays = []
    for _ in range(8):
        now = timezone.now()
        relay_all()
        message = OutboxMessage.objects.get()
        delays.append(round((message.next_attempt_at - now).total_seconds()))
        make_due(message)
    assert delays == [1, 2, 4, 8, 16, 32, 60, 60]


def test_a_task_of_another_release_is_kept(published: Published) -> None:
    greet.delay_in_transaction("Ada")
    OutboxMessage.objects.update(task="removed.task")
    relay_all()
    assert "removed.task" in OutboxMessage.objects.get().last_error
    assert published == []


def test_a_message_is_kept_if_the_relay_is_killed_before_the_commit(
    published: Published, monkeypatch: pytest.MonkeyPatch
) -> None:
    greet.apply_async_in_transaction(("Ada",), task_id="an-id")
    with monkeypatch.context() as patch:
        patch.setattr(OutboxMessage, "delete", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            relay.relay_next()
    relay_all()
    assert [message["id"] for message in published] == ["an-id", "an-id"]


def test_the_relay_reports_that_it_is_alive_until_sigterm(monkeypatch: pytest.MonkeyPatch) -> None:
    states: list[str] = []
    steps = iter((True, False))
    monkeypatch.setattr(health, "notify_systemd", states.append)
    monkeypatch.setattr("time.sleep", lambda _: signal.raise_signal(signal.SIGTERM))
    monkeypatch.setattr(relay, "relay_next", lambda: next(steps))
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        call_command("relay_outbox")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert states == ["READY=1", "WATCHDOG=1", "WATCHDOG=1", "STOPPING=1"]


def test_the_relay_continues_after_a_database_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "relay_next", Mock(side_effect=OperationalError("connection refused")))
    monkeypatch.setattr(relay, "close_old_connections", closed := Mock())
    assert not relay.Relay().step()
    closed.assert_called_once_with()


def test_the_admin_lists_messages_and_deletes_them(admin_client: Client) -> None:
    result = greet.delay_in_transaction("Ada")
    page = admin_client.get(reverse("admin:outbox_outboxmessage_changelist"))
    assert result.id in page.content.decode()
    assert admin_client.get(reverse("admin:outbox_outboxmessage_add")).status_code == 403
    pk = OutboxMessage.objects.get().pk
    admin_client.post(reverse("admin:outbox_outboxmessage_change", args=[pk]), {"task": "another.task"})
    assert OutboxMessage.objects.get().task == greet.name
    admin_client.post(reverse("admin:outbox_outboxmessage_delete", args=[pk]), {"post": "yes"})
    assert not OutboxMessage.objects.exists()
{% if plan().features.outbox_metrics %}


def test_the_exporter_has_the_number_and_the_age_of_messages(monkeypatch: pytest.MonkeyPatch) -> None:
    def read() -> list[float]:
        outbox_metrics.update()
        names = ("celery_outbox_messages", "celery_outbox_oldest_message_age_seconds")
        return [REGISTRY.get_sample_value(name) or 0 for name in names]

    monkeypatch.setattr(outbox_metrics, "close_old_connections", Mock())  # the connection of the test's transaction
    assert read() == [0, 0]
    greet.delay_in_transaction("Ada")
    OutboxMessage.objects.update(created_at=timezone.now() - datetime.timedelta(minutes=10))
    number, age = read()
    assert (number, round(age / 60)) == (1, 10)
    monkeypatch.setattr(OutboxMessage.objects, "aggregate", Mock(side_effect=OperationalError("connection refused")))
    assert not any(value >= 0 for value in read())
{% endif %}


@pytest.mark.integration
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("worker")
def test_a_worker_runs_a_task_of_the_outbox(wait_for_task: WaitForTask) -> None:
    result = greet.delay_in_transaction("Ada")
    relay_all()
    assert wait_for_task(result.id) == "SUCCESS"
