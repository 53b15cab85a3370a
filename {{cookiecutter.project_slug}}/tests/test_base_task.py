"""Tests of the base class of all tasks."""

import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest
import sentry_sdk
{% if plan().features.redis %}
from celery.exceptions import Reject, WorkerLostError
{% else %}
from celery.exceptions import Reject
{% endif %}
from kombu.exceptions import EncodeError, OperationalError

{% if plan().features.failed_tasks %}
from {{ cookiecutter.project_slug }} import base_task, dead_letter_store, failed_tasks
{% else %}
from {{ cookiecutter.project_slug }} import base_task
{% endif %}
from {{ cookiecutter.project_slug }}.base_task import BaseTask
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.errors import PermanentError, RetryableError
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping


def test_tasks_have_the_base_class_and_its_defaults() -> None:
    assert isinstance(ping, BaseTask)
    assert (ping.max_retries, ping.default_retry_delay) == (3, 5)
    assert (ping.retry_backoff, ping.retry_backoff_max, ping.retry_jitter) == (2, 600, True)


async def coroutine() -> None:
    """Do nothing."""


def generator() -> Iterator[None]:
    """Yield nothing."""
    yield


async def async_generator() -> AsyncIterator[None]:
    """Yield nothing."""
    yield


@pytest.mark.parametrize("function", [coroutine, generator, async_generator])
@pytest.mark.parametrize("pydantic", [False, True])
def test_coroutines_and_generators_are_rejected(function: Callable[[], Any], pydantic: bool) -> None:
    with pytest.raises(TypeError, match=f"{__name__}.{function.__name__} cannot be a task: .* Define it with `def`"):
        app.task(shared=False, pydantic=pydantic)(function)
    with pytest.raises(TypeError, match="cannot be a task"):
        type("ByClass", (app.Task,), {"run": function})  # as `class ByClass(Task): async def run(self): ...` does


@pytest.fixture
def log_lines(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Return the events that tasks log, with their values."""
    lines: list[tuple[str, dict[str, Any]]] = []

    def record(event: str, **values: Any) -> None:
        lines.append((event, values))

    monkeypatch.setattr(base_task, "log", Mock(info=record, warning=record, error=record, debug=Mock()))
    return lines


def run_task_raising(*errors: Exception | None) -> str:
    """Run a task that raises one of these errors per run, and succeeds at None; return its final state."""
    remaining = iter(errors)

    def function() -> None:
        if error := next(remaining):
            raise error

    task = app.task(name="raises", shared=False)(function)
    state = task.apply().state
    app.tasks.unregister("raises")
    return str(state)


def test_success_is_logged_in_one_line_with_its_duration(log_lines: list[tuple[str, dict[str, Any]]]) -> None:
    assert run_task_raising(None) == "SUCCESS"
    ((event, values),) = log_lines
    assert (event, values["retries"], values["queue_seconds"]) == ("task succeeded", 0, None)
    assert 0 <= values["duration_seconds"] < 5


def test_retryable_error_is_retried_until_the_task_succeeds(log_lines: list[tuple[str, dict[str, Any]]]) -> None:
    assert run_task_raising(RetryableError("busy"), RetryableError("busy"), None) == "SUCCESS"
    assert [event for event, _ in log_lines].count("task retrying") == 2


def test_task_fails_after_the_last_retry(log_lines: list[tuple[str, dict[str, Any]]]) -> None:
    assert run_task_raising(*[RetryableError("busy")] * 4) == "FAILURE"
    assert [event for event, _ in log_lines].count("task retrying") == 3
    assert log_lines[-1][1]["error"] == "RetryableError('busy')"


def test_permanent_error_fails_without_retry_and_traceback(log_lines: list[tuple[str, dict[str, Any]]]) -> None:
    assert run_task_raising(PermanentError("no such order")) == "FAILURE"
    event, values = log_lines[-1]
    assert (event, values["task_name"], values["exc_info"]) == ("task failed", "raises", None)


def test_unexpected_error_fails_without_retry_and_with_traceback(log_lines: list[tuple[str, dict[str, Any]]]) -> None:
    assert run_task_raising(ZeroDivisionError()) == "FAILURE"
    assert isinstance(log_lines[-1][1]["exc_info"], ZeroDivisionError)
    assert [event for event, _ in log_lines] == ["task failed"]


def test_start_of_a_redelivered_task_is_logged(log_lines: list[tuple[str, dict[str, Any]]]) -> None:
    task: Any = ping
    for redelivered in (False, True):
        task.push_request(id="1", delivery_info={"redelivered": redelivered})
        task.before_start("1", (), {})
        task.pop_request()
    assert [event for event, _ in log_lines] == ["task started"]


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Replace publishing with a mock."""
    apply_async = Mock()
    monkeypatch.setattr("celery.app.task.Task.apply_async", apply_async)
    return apply_async


@pytest.fixture
def sentry_capture(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mock]:
    """Replace Sentry's `capture_exception` with a mock, while `ping` runs as in a worker."""
    capture_exception = Mock()
    monkeypatch.setattr(sentry_sdk, "capture_exception", capture_exception)
    monkeypatch.setattr(base_task, "REQUEUE_DELAY", 0)
    task: Any = ping
    task.push_request(id="1", args=(), kwargs={}, called_directly=False)
    yield capture_exception
    task.pop_request()


@pytest.mark.parametrize("error", [ValueError("too far away"), EncodeError("no JSON"), TypeError("two arguments")])
def test_unpublishable_retry_fails_the_task(
    error: Exception, sentry_capture: Mock, publish: Mock, log_lines: list[tuple[str, dict[str, Any]]]
) -> None:
    publish.side_effect = error
    with pytest.raises(type(error)) as raised:
        ping.retry(countdown=1, exc=(cause := LookupError("no answer")))
    assert raised.value is error  # handled as any other failure
    assert error.__cause__ is cause


@pytest.mark.parametrize("error", [OperationalError("unreachable"), TimeoutError(), RuntimeError("OutOfMemoryError")])
def test_retry_rejected_by_the_broker_requeues_the_task(
    error: Exception, sentry_capture: Mock, publish: Mock, log_lines: list[tuple[str, dict[str, Any]]]
) -> None:
    publish.side_effect = error
    with pytest.raises(Reject, match="True"):  # its second argument: requeue
        ping.retry(countdown=1)
    assert log_lines[-1][0] == "retry not published, task requeued"
    sentry_capture.assert_called_once_with(error)
{% if plan().features.failed_tasks %}


def test_unstorable_dead_letter_requeues_the_task(
    sentry_capture: Mock, log_lines: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ping, "run", Mock(side_effect=LookupError("no such order")))
    keep = Mock(side_effect=OperationalError("full"))
    monkeypatch.setattr(dead_letter_store, "store_dead_letter", keep)
    with pytest.raises(Reject, match="True"):  # its second argument: requeue
        ping()
    assert [event for event, _ in log_lines] == ["task failed", "dead letter not stored, task requeued"]
    sentry_capture.assert_called_once_with(keep.side_effect)


{% if plan().features.redis %}
def test_task_fails_after_the_maximum_of_lost_workers(sentry_capture: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Mock()
    monkeypatch.setattr(ping, "run", run)
    monkeypatch.setattr(dead_letter_store, "store_dead_letter", keep := Mock())
    ping.request.update(lost_workers=base_task.MAX_LOST_WORKERS, lost_with=["tasks.heavy[1]"])
    with pytest.raises(WorkerLostError, match="10 workers were lost while they held the task, each time together"):
        ping()
    run.assert_not_called()
    keep.assert_called_once()


{% endif %}
def test_failure_has_one_dead_letter(sentry_capture: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ping, "run", Mock(side_effect=LookupError("no such order")))
    keep = Mock()
    monkeypatch.setattr(dead_letter_store, "store_dead_letter", keep)
    with pytest.raises(LookupError):
        ping()
    keep.assert_called_once()
    # Celery sends task_failure afterwards.
    assert failed_tasks.describe_failure(ping, "1", LookupError(), (), {}) is None


def test_task_that_calls_itself_has_one_dead_letter(sentry_capture: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: Iterator[Any] = iter([ping, Mock(side_effect=LookupError("no such order"))])
    monkeypatch.setattr(ping, "run", lambda: next(runs)())
    monkeypatch.setattr(dead_letter_store, "store_dead_letter", keep := Mock())
    with pytest.raises(LookupError):
        ping()
    keep.assert_called_once()
{% endif %}


def test_queue_time_starts_at_publishing_or_at_the_eta() -> None:
    sent = time.time() - 1000
    due = datetime.fromtimestamp(sent + 900, UTC).isoformat()
    assert base_task.measure_queue_time({"sent_at": sent}) == pytest.approx(1000, abs=5)
    assert base_task.measure_queue_time({"sent_at": sent, "eta": due}) == pytest.approx(100, abs=5)
    assert base_task.measure_queue_time({"sent_at": sent + 2000}) == 0  # the publisher's clock is ahead
    assert base_task.measure_queue_time({}) is None
