"""What holds for every task."""

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


def test_every_task_is_one_of_ours() -> None:
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
def test_what_celery_would_not_run_is_refused(function: Callable[[], Any], pydantic: bool) -> None:
    with pytest.raises(TypeError, match=f"{__name__}.{function.__name__} cannot be a task: .* Define it with `def`"):
        app.task(shared=False, pydantic=pydantic)(function)
    with pytest.raises(TypeError, match="cannot be a task"):
        type("ByClass", (app.Task,), {"run": function})  # as `class ByClass(Task): async def run(self): ...` does


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """What is logged of tasks."""
    lines: list[tuple[str, dict[str, Any]]] = []

    def note(event: str, **values: Any) -> None:
        lines.append((event, values))

    monkeypatch.setattr(base_task, "log", Mock(info=note, warning=note, error=note, debug=Mock()))
    return lines


def run_that_raises(*errors: Exception | None) -> str:
    """The state of a task that raises these, one a run, and then succeeds at the first None."""
    outcomes = iter(errors)

    def body() -> None:
        if error := next(outcomes):
            raise error

    task = app.task(name="raises", shared=False)(body)
    state = task.apply().state
    app.tasks.unregister("raises")
    return str(state)


def test_a_success_is_one_line_with_the_duration(said: list[tuple[str, dict[str, Any]]]) -> None:
    assert run_that_raises(None) == "SUCCESS"
    ((event, values),) = said
    assert (event, values["retries"], values["waited"]) == ("task succeeded", 0, None)
    assert 0 <= values["seconds"] < 5


def test_what_passes_by_itself_is_retried_until_it_has(said: list[tuple[str, dict[str, Any]]]) -> None:
    assert run_that_raises(RetryableError("busy"), RetryableError("busy"), None) == "SUCCESS"
    assert [event for event, _ in said].count("task is retried") == 2


def test_retries_run_out(said: list[tuple[str, dict[str, Any]]]) -> None:
    assert run_that_raises(*[RetryableError("busy")] * 4) == "FAILURE"
    assert [event for event, _ in said].count("task is retried") == 3
    assert said[-1][1]["error"] == "RetryableError('busy')"


def test_what_is_permanent_fails_at_once_and_without_a_traceback(said: list[tuple[str, dict[str, Any]]]) -> None:
    assert run_that_raises(PermanentError("no such order")) == "FAILURE"
    event, values = said[-1]
    assert (event, values["task_name"], values["exc_info"]) == ("task failed", "raises", None)


def test_a_mistake_fails_at_once_and_shows_where(said: list[tuple[str, dict[str, Any]]]) -> None:
    assert run_that_raises(ZeroDivisionError()) == "FAILURE"
    assert isinstance(said[-1][1]["exc_info"], ZeroDivisionError)
    assert [event for event, _ in said] == ["task failed"]


def test_the_start_of_a_redelivered_task_is_logged(said: list[tuple[str, dict[str, Any]]]) -> None:
    task: Any = ping
    for redelivered in (False, True):
        task.push_request(id="1", delivery_info={"redelivered": redelivered})
        task.before_start("1", (), {})
        task.pop_request()
    assert [event for event, _ in said] == ["task started"]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Takes the place of what would be sent."""
    publish = Mock()
    monkeypatch.setattr("celery.app.task.Task.apply_async", publish)
    return publish


@pytest.fixture
def in_worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mock]:
    """A worker runs the task; yields the place of Sentry's report."""
    report = Mock()
    monkeypatch.setattr(sentry_sdk, "capture_exception", report)
    monkeypatch.setattr(base_task, "REQUEUE_PAUSE", 0)
    task: Any = ping
    task.push_request(id="1", args=(), kwargs={}, called_directly=False)
    yield report
    task.pop_request()


@pytest.mark.parametrize("error", [ValueError("too far away"), EncodeError("no JSON"), TypeError("two arguments")])
def test_a_retry_that_cannot_be_published_fails_the_task(
    error: Exception, in_worker: Mock, sent: Mock, said: list[tuple[str, dict[str, Any]]]
) -> None:
    sent.side_effect = error
    with pytest.raises(type(error)) as raised:
        ping.retry(countdown=1, exc=(cause := LookupError("no answer")))
    assert raised.value is error  # so that it is logged, reported and kept as any failure
    assert error.__cause__ is cause


@pytest.mark.parametrize("error", [OperationalError("away"), TimeoutError(), RuntimeError("OutOfMemoryError")])
def test_a_retry_that_the_broker_does_not_accept_requeues_the_task(
    error: Exception, in_worker: Mock, sent: Mock, said: list[tuple[str, dict[str, Any]]]
) -> None:
    sent.side_effect = error
    with pytest.raises(Reject, match="True"):  # its second argument: requeue
        ping.retry(countdown=1)
    assert said[-1][0] == "retry not published, task requeued"
    in_worker.assert_called_once_with(error)
{% if plan().features.failed_tasks %}


def test_a_failure_whose_dead_letter_cannot_be_stored_requeues_the_task(
    in_worker: Mock, said: list[tuple[str, dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ping, "run", Mock(side_effect=LookupError("no such order")))
    keep = Mock(side_effect=OperationalError("full"))
    monkeypatch.setattr(dead_letter_store, "store_dead_letter", keep)
    with pytest.raises(Reject, match="True"):  # its second argument: requeue
        ping()
    assert [event for event, _ in said] == ["task failed", "dead letter not stored, task requeued"]
    in_worker.assert_called_once_with(keep.side_effect)


{% if plan().features.redis %}
def test_a_task_that_takes_one_worker_after_the_other_with_it_fails(
    in_worker: Mock, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Mock()
    monkeypatch.setattr(ping, "run", run)
    monkeypatch.setattr(dead_letter_store, "store_dead_letter", keep := Mock())
    ping.request.update(lost_workers=base_task.MOST_LOST_WORKERS, lost_with=["tasks.heavy[1]"])
    with pytest.raises(WorkerLostError, match="10 workers were lost while they held the task, and each time tasks"):
        ping()
    run.assert_not_called()
    keep.assert_called_once()


{% endif %}
def test_a_failure_has_one_dead_letter(in_worker: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ping, "run", Mock(side_effect=LookupError("no such order")))
    keep = Mock()
    monkeypatch.setattr(dead_letter_store, "store_dead_letter", keep)
    with pytest.raises(LookupError):
        ping()
    keep.assert_called_once()
    # Celery's signal comes after it.
    assert failed_tasks.letter_of(ping, "1", LookupError(), (), {}) is None


def test_a_task_that_calls_itself_has_one_dead_letter(in_worker: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: Iterator[Any] = iter([ping, Mock(side_effect=LookupError("no such order"))])
    monkeypatch.setattr(ping, "run", lambda: next(runs)())
    monkeypatch.setattr(dead_letter_store, "store_dead_letter", keep := Mock())
    with pytest.raises(LookupError):
        ping()
    keep.assert_called_once()
{% endif %}


def test_a_task_has_waited_since_it_was_sent_or_due() -> None:
    sent = time.time() - 1000
    due = datetime.fromtimestamp(sent + 900, UTC).isoformat()
    assert base_task.waited({"sent_at": sent}) == pytest.approx(1000, abs=5)
    assert base_task.waited({"sent_at": sent, "eta": due}) == pytest.approx(100, abs=5)
    assert base_task.waited({"sent_at": sent + 2000}) == 0  # by a clock that is ahead
    assert base_task.waited({}) is None
