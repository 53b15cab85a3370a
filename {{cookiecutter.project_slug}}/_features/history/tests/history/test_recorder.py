"""The runs that a worker records, and the thread that stores them."""

import json
from collections.abc import Callable
from datetime import timedelta
from queue import Queue
from typing import Any
from unittest.mock import Mock

import pytest
from celery import shared_task, signals
from celery.exceptions import Ignore, Reject

from {{ cookiecutter.project_slug }}.errors import RetryableError
from {{ cookiecutter.project_slug }}.history import hide_arguments, recorder, store
from {{ cookiecutter.project_slug }}.history.recorder import Redactor, Writer, describe_arguments, describe_run
from {{ cookiecutter.project_slug }}.history.runs import RecordedRun
{% if plan().features.limits %}
from {{ cookiecutter.project_slug }}.limits import LimitExceeded
{% endif %}

from .conftest import RunFactory

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


@shared_task(bind=True, retry_backoff=False, default_retry_delay=0)
def end(self: Any, outcome: str, password: str = "") -> None:
    """End with an outcome."""
    errors = {"failed": ValueError("broken"), "rejected": Reject("unknown", requeue=False), "ignored": Ignore()}
    if outcome == "retried" and not self.request.retries:
        raise RetryableError("busy")
    if outcome in errors:
        raise errors[outcome]


@shared_task
@hide_arguments
def hidden(secret: str) -> None:
    """Do nothing."""


@pytest.fixture
def recorded(worker: None, monkeypatch: pytest.MonkeyPatch) -> Callable[[], RecordedRun]:
    """Return a function that waits for the next run of the task `end`."""
    runs: Queue[RecordedRun] = Queue()
    monkeypatch.setattr(recorder, "writer", Mock(add=runs.put))

    def wait() -> RecordedRun:
        while (run := runs.get(timeout=30))["task"] != end.name:
            pass
        return run

    return wait


@pytest.mark.integration
@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        ("succeeded", ""),
        ("failed", "ValueError('broken')"),
        ("rejected", "reject"),
        ("ignored", ""),
    ],
)
def test_a_run_is_recorded_with_its_outcome(recorded: Callable[[], RecordedRun], outcome: str, error: str) -> None:
    sent = end.apply_async((outcome,), headers={"traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"})
    run = recorded()

    assert (run["task_id"], run["outcome"], run["retries"], run["trace_id"]) == (sent.id, outcome, 0, TRACE_ID)
    assert run["error"].startswith(error)
    assert run["queue"] == "{{ plan().default_queue.name }}"
    assert run["worker"]
    assert run["published"]
    assert run["started"]
    assert run["published"] - timedelta(seconds=1) < run["started"] <= run["ended"]


@pytest.mark.integration
def test_a_retry_is_another_run(recorded: Callable[[], RecordedRun]) -> None:
    end.delay("retried")
    # A thread may run the retry before another thread has recorded the first run.
    first, second = sorted((recorded(), recorded()), key=lambda run: run["retries"])

    assert (first["outcome"], first["retries"], first["error"]) == ("retried", 0, "RetryableError('busy')")
    assert (second["outcome"], second["retries"], second["task_id"]) == ("succeeded", 1, first["task_id"])


@pytest.mark.parametrize(("expired", "outcome"), [(True, "expired"), (False, "revoked")])
def test_a_task_that_does_not_start_is_recorded(monkeypatch: pytest.MonkeyPatch, expired: bool, outcome: str) -> None:
    writer = Mock()
    monkeypatch.setattr(recorder, "writer", writer)
    signals.task_revoked.send(end, request={"id": "1"}, terminated=False, signum=None, expired=expired)

    (run,) = writer.add.call_args.args
    assert (run["outcome"], run["started"]) == (outcome, None)


{% if plan().features.limits %}
def test_a_task_that_waits_for_a_limit_is_not_recorded() -> None:
    assert issubclass(LimitExceeded, recorder.NOT_RECORDED)


{% endif %}
def test_an_error_of_the_recorder_does_not_fail_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "writer", Mock(add=Mock(side_effect=ValueError)))
    log = Mock()
    monkeypatch.setattr(recorder, "log", log)
    recorder.record(end, {"id": "1"}, "succeeded")
    log.exception.assert_called_once()


def test_arguments_have_names_and_secrets_are_redacted() -> None:
    text = describe_arguments(end, ["failed", "s3cret"], {"options": {"API_Key": "s3cret", "ids": [1, 2]}})
    assert json.loads(text) == {
        "outcome": "failed",
        "password": "[redacted]",
        "options": {"API_Key": "[redacted]", "ids": [1, 2]},
    }


def test_arguments_without_a_parameter_are_kept() -> None:
    assert json.loads(describe_arguments(end, [1, 2, 3], {})) == {"outcome": 1, "password": "[redacted]", "*": [3]}


def test_hidden_arguments_are_not_recorded() -> None:
    assert describe_arguments(hidden, ["x"], {}) == ""


@pytest.mark.parametrize("value", ["x" * 10_000, list(range(10_000)), [["x"] * 100] * 100, {"x": [{}] * 10_000}])
def test_large_arguments_are_cut_before_they_are_encoded(value: Any) -> None:
    assert len(json.dumps(Redactor().redact(value))) <= recorder.MAX_TEXT + len('""')
    assert len(describe_arguments(end, [value], {})) <= recorder.MAX_TEXT


def test_long_texts_are_cut_and_have_no_nul() -> None:
    class LongError(Exception):
        def __repr__(self) -> str:
            return "\0" + "x" * 5000

    run = describe_run(end, {"id": "i" * 500}, "failed", LongError())
    assert (run["task_id"], run["error"]) == ("i" * 255, "x" * 1999 + "…")


@pytest.fixture
def stored(monkeypatch: pytest.MonkeyPatch) -> list[RecordedRun]:
    """Replace the database by a list."""
    runs: list[RecordedRun] = []
    monkeypatch.setattr(store, "insert_runs", runs.extend)
    monkeypatch.setattr(store, "delete_runs", Mock(return_value=0))
    monkeypatch.setattr(store, "OUTAGES", (ConnectionError,))
    monkeypatch.setattr(recorder, "log", Mock())
    return runs


def fail_inserts(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(store, "insert_runs", Mock(side_effect=error))


def test_an_outage_is_logged_once_and_loses_no_runs(
    stored: list[RecordedRun], make_run: RunFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer, log = Writer(), Mock()
    monkeypatch.setattr(recorder, "log", log)
    with monkeypatch.context() as outage:
        fail_inserts(outage, ConnectionError())
        for number in range(3):
            writer.add(make_run(retries=number))
            writer.write()
    writer.write()

    assert [run["retries"] for run in stored] == [0, 1, 2]
    log.error.assert_called_once_with("history not stored", error="ConnectionError()")
    log.warning.assert_called_once_with("history stored again", dropped_runs=0)


def test_runs_are_dropped_when_too_many_are_waiting(
    stored: list[RecordedRun], make_run: RunFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "MAX_WAITING", 2)
    writer, log = Writer(), Mock()
    monkeypatch.setattr(recorder, "log", log)
    for number in range(5):
        writer.add(make_run(retries=number))
    writer.write()

    assert [run["retries"] for run in stored] == [0, 1]
    log.warning.assert_called_once_with("history stored again", dropped_runs=3)


def test_runs_that_the_database_rejects_are_dropped(
    stored: list[RecordedRun], make_run: RunFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer()
    with monkeypatch.context() as rejection:
        fail_inserts(rejection, ValueError())
        writer.add(make_run(retries=0))
        writer.write()
    writer.add(make_run(retries=1))
    writer.write()
    assert [run["retries"] for run in stored] == [1]


def test_a_batch_is_limited(stored: list[RecordedRun], make_run: RunFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recorder, "BATCH_SIZE", 2)
    insert = Mock()
    monkeypatch.setattr(store, "insert_runs", insert)
    writer = Writer()
    for _ in range(3):
        writer.add(make_run())
    writer.write()
    assert [len(call.args[0]) for call in insert.call_args_list] == [2, 1]


def test_old_runs_are_deleted_at_the_start_and_every_hour(
    stored: list[RecordedRun], monkeypatch: pytest.MonkeyPatch
) -> None:
    delete = Mock(side_effect=[5000, 0, 0])
    monkeypatch.setattr(store, "delete_runs", delete)
    clock = Mock(return_value=0.0)
    monkeypatch.setattr("time.monotonic", clock)
    writer = Writer()
    for seconds, number in ((0, 1), (0.5, 1), (1, 2), (3600, 2), (3601, 3)):  # the first deletion was partial
        clock.return_value = seconds
        writer.write()
        assert delete.call_count == number, seconds


def test_the_thread_stores_the_last_runs_at_shutdown(
    stored: list[RecordedRun], make_run: RunFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder, "writer", Writer())
    monkeypatch.setattr(recorder, "INTERVAL", 3600)
    monkeypatch.setattr(store, "close", Mock())
    recorder.start_writer()
    recorder.writer.add(make_run())
    recorder.stop_writer()
    assert len(stored) == 1
