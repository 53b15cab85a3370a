"""Tests of Django's tasks framework on Celery. With Django 5.2, `conftest.py` excludes this file."""

from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timedelta
from queue import Queue
from typing import Any, NamedTuple

import pytest
from celery.app.routes import Router, prepare
{% if plan().features.results %}
from celery.exceptions import TaskRevokedError, TimeLimitExceeded
{% else %}
from celery.exceptions import TimeLimitExceeded
{% endif %}
from django.dispatch import Signal
{% if plan().features.results %}
from django.tasks import Task, TaskContext, TaskResult, TaskResultStatus, task, task_backends
{% else %}
from django.tasks import TaskContext, TaskResult, TaskResultStatus, task, task_backends
{% endif %}
{% if plan().features.results %}
from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist
{% else %}
from django.tasks.exceptions import InvalidTask
{% endif %}
from django.tasks.signals import task_enqueued, task_finished, task_started
from django.test import override_settings
from django.utils import timezone

from {{ cookiecutter.project_slug }} import alerts
from {{ cookiecutter.project_slug }}.celery_app import app
{% if plan().features.results %}
from {{ cookiecutter.project_slug }}.django_tasks import CeleryBackend, record_id
{% else %}
from {{ cookiecutter.project_slug }}.django_tasks import CeleryBackend
{% endif %}
from {{ cookiecutter.project_slug }}.errors import PermanentError, RetryableError
from {{ cookiecutter.project_slug }}.queues import QueueName

from .conftest import WaitForTask

Sent = Queue[tuple[Signal, "TaskResult[..., Any]"]]

FIRST = next(iter(QueueName))
LAST = list(QueueName)[-1]


class Published(NamedTuple):
    """A message."""

    task: str
    queue: str
    headers: dict[str, Any]


@task
def add(first: int, second: int = 0) -> int:
    """Add two numbers."""
    return first + second


@task(takes_context=True)
def fail_first(context: "TaskContext[..., Any]", attempts: int) -> None:
    """Fail transiently before this attempt."""
    if context.attempt < attempts:
        raise RetryableError("later")


@task
@alerts.critical
def fail() -> None:
    """Fail permanently."""
    raise PermanentError("wrong")


async def coroutine() -> None:
    """Do nothing."""


def generator() -> Iterator[None]:
    """Yield nothing."""
    yield


async def async_generator() -> AsyncIterator[None]:
    """Yield nothing."""
    yield


def simple() -> None:
    """Do nothing."""


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[Published]:
    """The messages that would be published."""
    messages: list[Published] = []

    def record(_producer: Any, name: str, message: Any, queue: Any, **_: Any) -> None:
        messages.append(Published(name, queue.name, message.headers))

    monkeypatch.setattr(app.amqp, "send_task_message", record)
    return messages


@pytest.fixture
def sent() -> Iterator[Sent]:
    """The signals of Django's tasks framework that are sent, with their results."""
    events: Sent = Queue()

    def record(signal: Signal, task_result: "TaskResult[..., Any]", **_: Any) -> None:
        events.put((signal, task_result))

    for signal in (task_enqueued, task_started, task_finished):
        signal.connect(record)
    yield events
    for signal in (task_enqueued, task_started, task_finished):
        signal.disconnect(record)


def get_events_of_worker(sent: Sent, *signals: Signal) -> list[tuple[Signal, "TaskResult[..., Any]"]]:
    """Return the events of one task on the worker. The publisher's event may be later than these."""
    events = [sent.get(timeout=5) for _ in range(len(signals) + 1)]
    on_worker = [event for event in events if event[0] is not task_enqueued]
    assert [signal for signal, _ in on_worker] == list(signals)
    return on_worker


@pytest.mark.integration
def test_a_task_runs_on_a_worker(wait_for_task: WaitForTask, sent: Sent) -> None:
    result = add.enqueue(1, second=2)
    assert (result.status, result.args, result.kwargs) == (TaskResultStatus.READY, [1], {"second": 2})
    assert wait_for_task(result.id) == "SUCCESS"
    (_, started), (_, finished) = get_events_of_worker(sent, task_started, task_finished)
    assert (started.id, started.status) == (result.id, TaskResultStatus.RUNNING)
    assert (finished.status, finished.return_value, finished.attempts) == (TaskResultStatus.SUCCESSFUL, 3, 1)
    assert finished.enqueued_at is not None
    assert finished.started_at is not None
    assert finished.finished_at is not None
    assert finished.enqueued_at <= finished.started_at <= finished.finished_at


@pytest.mark.parametrize(
    ("queue_name", "queue"), [("default", FIRST), *((name.value, name) for name in QueueName if name != "default")]
)
def test_a_task_is_published_to_its_queue(queue_name: str, queue: QueueName, published: list[Published]) -> None:
    add.using(queue_name=queue_name).enqueue(1)
    assert [(message.task, message.queue) for message in published] == [(f"{__name__}.add", queue)]


def test_the_default_queue_is_that_of_the_route(published: list[Published], monkeypatch: pytest.MonkeyPatch) -> None:
    routes = prepare([{f"{__name__}.*": {"queue": LAST.value}}])
    monkeypatch.setattr(app.amqp, "router", Router(routes, app.amqp.queues, app=app))
    add.enqueue(1)
    assert [message.queue for message in published] == [LAST]


def test_run_after_is_the_eta(published: list[Published]) -> None:
    later = timezone.now() + timedelta(hours=1)
    add.using(run_after=later).enqueue(1)
    (message,) = published
    assert abs(datetime.fromisoformat(message.headers["eta"]) - later) < timedelta(seconds=2)  # RabbitMQ rounds it up


@pytest.mark.parametrize(
    ("function", "options", "message"),
    [
        (coroutine, {}, "does not support async"),
        (generator, {}, "generator function"),
        (async_generator, {}, "generator function"),
        (simple, {"priority": 1}, "does not support setting priority"),
        (simple, {"queue_name": "misspelled"}, "Queue 'misspelled' is not valid"),
    ],
)
def test_an_unsupported_task_is_refused(function: Callable[[], Any], options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidTask, match=message):
        task(**options)(function)


def test_a_task_of_another_backend_is_refused() -> None:
    other = {"other": {"BACKEND": "django.tasks.backends.dummy.DummyBackend"}}
    with override_settings(TASKS={**task_backends.settings, **other}):
        elsewhere = task(backend="other")(simple)
        with pytest.raises(InvalidTask, match="set the backend in @task"):
            elsewhere.using(backend="default").enqueue()


@pytest.mark.parametrize("arguments", [(), (1, 2, 3), (object(),)])
def test_invalid_arguments_are_refused(arguments: tuple[Any, ...], published: list[Published]) -> None:
    enqueue: Any = add.enqueue
    with pytest.raises(TypeError):
        enqueue(*arguments)
    assert published == []


@pytest.mark.integration
def test_a_transient_error_is_retried(
    wait_for_task: WaitForTask,
    sent: Sent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(app.tasks[fail_first.module_path], "retry_backoff", 0)
    monkeypatch.setattr(app.tasks[fail_first.module_path], "default_retry_delay", 0)
    task_id = fail_first.enqueue(2).id
    while (state := wait_for_task(task_id)) == "RETRY":
        pass
    assert state == "SUCCESS"
    events = get_events_of_worker(sent, task_started, task_started, task_finished)
    assert [result.attempts for _, result in events] == [1, 2, 2]


@pytest.mark.integration
def test_a_permanent_failure_has_the_name_of_the_function(
    wait_for_task: WaitForTask,
    sent: Sent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alert: Queue[str] = Queue()
    monkeypatch.setattr(alerts, "send_alert", alert.put)
    task_id = fail.enqueue().id
    assert wait_for_task(task_id) == "FAILURE"
    assert alert.get(timeout=5) == f"{__name__}.fail[{task_id}] failed: PermanentError('wrong')"
    _, (_, result) = get_events_of_worker(sent, task_started, task_finished)
    assert (result.id, result.status) == (task_id, TaskResultStatus.FAILED)
    (error,) = result.errors
    assert error.exception_class is PermanentError
    assert "in fail\n" in error.traceback


def test_a_task_that_was_killed_is_finished(sent: Sent) -> None:
    # After a hard time limit, the worker's main process reports the failure, without the request of the task.
    celery_task: Any = app.tasks[add.module_path]
    celery_task.on_failure(TimeLimitExceeded(300), "1", [1], {}, None)
    signal, result = sent.get(timeout=5)
    assert (signal, result.id, result.status) == (task_finished, "1", TaskResultStatus.FAILED)
    assert (result.started_at, result.worker_ids) == (None, [])


@pytest.mark.integration
def test_an_error_of_a_receiver_does_not_fail_the_task(wait_for_task: WaitForTask) -> None:
    def receive(**_: Any) -> None:
        raise RuntimeError

    for signal in (task_enqueued, task_started, task_finished):
        signal.connect(receive)
    try:
        assert wait_for_task(add.enqueue(1).id) == "SUCCESS"
    finally:
        for signal in (task_enqueued, task_started, task_finished):
            signal.disconnect(receive)


def test_results_are_opt_in() -> None:
    backend = add.get_backend()
    assert isinstance(backend, CeleryBackend)
    assert not backend.supports_get_result
    with pytest.raises(NotImplementedError):
        backend.get_result("1")
{% if plan().features.results %}


def stored(function: "Task[..., Any]") -> "Task[..., Any]":
    """Return the task with stored results."""
    return function.using(backend="results")


@pytest.mark.integration
{% if plan().features.django_results %}
@pytest.mark.django_db(transaction=True)
{% endif %}
def test_the_result_of_a_task_is_stored(wait_for_task: WaitForTask) -> None:
    result = stored(add).enqueue(1, second=2)
    assert wait_for_task(result.id) == "SUCCESS"
    result.refresh()
    assert (result.status, result.return_value) == (TaskResultStatus.SUCCESSFUL, 3)
    assert (result.attempts, result.errors) == (1, [])
    assert result.enqueued_at is not None
    assert result.finished_at is not None
    assert result.enqueued_at <= result.finished_at
    read = stored(add).get_result(result.id)
    assert (read.task.func, read.args, read.kwargs) == (add.func, [1], {"second": 2})


@pytest.mark.integration
{% if plan().features.django_results %}
@pytest.mark.django_db(transaction=True)
{% endif %}
def test_the_error_of_a_task_is_stored(wait_for_task: WaitForTask) -> None:
    result = stored(fail).enqueue()
    assert wait_for_task(result.id) == "FAILURE"
    result.refresh()
    assert result.status == TaskResultStatus.FAILED
    (error,) = result.errors
    assert error.exception_class is PermanentError
    assert "in fail\n" in error.traceback


{% if plan().features.django_results %}
@pytest.mark.django_db
{% endif %}
@pytest.mark.parametrize(
    ("state", "stored_result", "status"),
    [
        (None, None, TaskResultStatus.READY),
        ("RETRY", RetryableError("later"), TaskResultStatus.READY),
        ("STARTED", {}, TaskResultStatus.RUNNING),
        ("PROGRESS", {}, TaskResultStatus.RUNNING),
        ("REVOKED", TaskRevokedError("cancelled"), TaskResultStatus.FAILED),
    ],
)
def test_the_status_of_a_task(state: str | None, stored_result: Any, status: TaskResultStatus) -> None:
    record = {"task": add.module_path, "args": [1], "kwargs": {}, "at": timezone.now().isoformat()}
    app.backend.store_result(record_id("1"), record, "ENQUEUED")
    if state:
        app.backend.store_result("1", stored_result, state)
    result = task_backends["results"].get_result("1")
    assert (result.status, result.args, result.is_finished) == (status, [1], status == TaskResultStatus.FAILED)
    app.backend.forget("1")
    app.backend.forget(record_id("1"))


{% if plan().features.django_results %}
@pytest.mark.django_db
{% endif %}
def test_an_unknown_result_does_not_exist() -> None:
    with pytest.raises(TaskResultDoesNotExist):
        stored(add).get_result("unknown")
{% endif %}
