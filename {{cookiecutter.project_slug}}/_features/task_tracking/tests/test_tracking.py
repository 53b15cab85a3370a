"""The status of a task from its submission until its result expires, and cancellation."""

import uuid
from typing import Any
from unittest.mock import Mock

import pytest
from celery import shared_task
from celery.result import AsyncResult

from {{ cookiecutter.project_slug }} import stoppable_task, submissions, tracking
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.stoppable_task import stop_if_cancelled
from {{ cookiecutter.project_slug }}.submissions import RefusedError, Submission, UnavailableError
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping
from {{ cookiecutter.project_slug }}.tracking import TaskStatus

from .conftest import WaitForTask


@shared_task(bind=True)
def fail(self: Any) -> None:
    """Report progress, then fail."""
    self.update_state(state="PROGRESS", meta={"done": 1})
    statuses.append(tracking.read_status(self.request.id))
    raise ValueError("out of memory")


@shared_task(bind=True)
def cancel_itself(self: Any) -> str:
    """Cancel this task while it runs."""
    tracking.cancel(TaskStatus(id=self.request.id, task=self.name, state="STARTED"))
    stop_if_cancelled(self)
    return "not cancelled"


statuses: list[TaskStatus | None] = []


def build_submission(task: Any, **arguments: Any) -> Submission:
    """Return a submission of a task, which need not be in `SUBMITTABLE`."""
    return submissions.build_submission_model(task).model_validate({"task": task.name, "arguments": arguments})


def build_status(task_id: str, task: Any, state: str, **fields: Any) -> TaskStatus:
    """Return the status of a task."""
    return TaskStatus(id=uuid.UUID(task_id), task=task.name, state=state, **fields)


def test_an_id_that_was_never_submitted_is_unknown() -> None:
    assert tracking.read_status(str(uuid.uuid4())) is None


def test_a_queued_task_is_pending(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "publish", lambda *args, **kwargs: None)
    task_id = tracking.submit(build_submission(ping))
    assert tracking.read_status(task_id) == build_status(task_id, ping, "PENDING")
    assert AsyncResult(task_id, app=app).state == "PENDING"
    assert not AsyncResult(task_id, app=app).ready()


@pytest.mark.integration
def test_the_result_of_a_submitted_task_is_stored(wait_for_task: WaitForTask) -> None:
    assert app.conf.task_ignore_result
    task_id = tracking.submit(build_submission(ping, text="hello"))
    assert wait_for_task(task_id) == "SUCCESS"
    assert tracking.read_status(task_id) == build_status(task_id, ping, "SUCCESS", result="hello")
    assert AsyncResult(task_id, app=app).get(timeout=30, interval=0.05) == "hello"
    app.backend.forget(task_id)
    assert tracking.read_status(task_id) is None


@pytest.mark.integration
def test_the_progress_and_the_error_of_a_submitted_task_are_stored(wait_for_task: WaitForTask) -> None:
    task_id = tracking.submit(build_submission(fail))
    assert wait_for_task(task_id) == "FAILURE"
    error = tracking.Failure(type="ValueError", message="out of memory")
    assert statuses == [build_status(task_id, fail, "PROGRESS", progress={"done": 1})]
    assert tracking.read_status(task_id) == build_status(task_id, fail, "FAILURE", error=error)


@pytest.mark.integration
def test_a_cancelled_task_does_not_start(wait_for_task: WaitForTask, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(tracking, "publish", lambda *args, **headers: sent.append((args, headers)))
    task_id = tracking.submit(build_submission(ping))
    # Send no broadcast: the worker must read the record.
    monkeypatch.setattr(app.control, "revoke", lambda task_id: None)
    tracking.cancel(build_status(task_id, ping, "PENDING"))
    (args, headers) = sent.pop()
    submissions.publish(*args, **headers)
    wait_for_task(task_id)
    assert tracking.read_status(task_id) == build_status(task_id, ping, "REVOKED")


@pytest.mark.integration
def test_a_running_task_stops_at_its_next_check(wait_for_task: WaitForTask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.control, "revoke", lambda task_id: None)
    log = Mock()
    monkeypatch.setattr(stoppable_task, "log", log)
    task_id = tracking.submit(build_submission(cancel_itself))
    wait_for_task(task_id)
    assert tracking.read_status(task_id) == build_status(task_id, cancel_itself, "REVOKED")
    log.info.assert_called_once_with("task cancelled")


def test_the_status_of_a_revoked_task_has_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    # Send no broadcast: a worker would store the same state at the same time.
    monkeypatch.setattr(app.control, "revoke", lambda task_id: None)
    task_id = str(uuid.uuid4())
    tracking.cancel(build_status(task_id, ping, "PENDING"))
    app.backend.mark_as_revoked(task_id)
    assert tracking.read_status(task_id) == build_status(task_id, ping, "REVOKED")


def test_a_failed_submission_is_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    ids: list[str] = []

    def fail_to_publish(submission: Submission, task_id: str, **_: Any) -> None:
        ids.append(task_id)
        raise ConnectionError("broker unreachable")

    monkeypatch.setattr(tracking, "publish", fail_to_publish)
    monkeypatch.setattr(tracking, "call_in_background", submissions.call_with_deadline)
    with pytest.raises(UnavailableError):
        tracking.submit(build_submission(ping))
    assert tracking.read_status(ids[0]) is None


def test_an_idempotency_key_identifies_one_submission_of_a_client(monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[str] = []
    monkeypatch.setattr(tracking, "publish", lambda submission, task_id, **_: published.append(task_id))
    first = tracking.submit(build_submission(ping), "shop", "order 1")
    assert tracking.submit(build_submission(ping), "shop", "order 1") == first
    other = tracking.submit(build_submission(ping), "billing", "order 1")
    assert published == [first, other]
    with pytest.raises(RefusedError, match="Idempotency-Key"):
        tracking.submit(build_submission(fail), "shop", "order 1")
    app.backend.forget(first)
    assert tracking.submit(build_submission(ping), "shop", "order 1") == first
    assert published == [first, other, first]


@pytest.mark.parametrize(
    ("value", "json"),
    [
        (float("nan"), None),
        ({"a": (1, float("inf"))}, {"a": [1, None]}),
        ("\ud800", "?"),
        (b"\xff", "/w=="),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        ([[[]]], [[[]]]),
    ],
)
def test_any_value_is_converted_to_json(value: Any, json: Any) -> None:
    assert tracking.to_json(value) == json


def test_a_recursive_value_is_converted_to_json() -> None:
    deep: list[Any] = []
    deep.append(deep)
    assert str(tracking.to_json(deep)).count("[") < 200
