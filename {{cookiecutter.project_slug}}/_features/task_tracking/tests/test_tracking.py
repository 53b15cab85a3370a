"""What became of a task is known from its submission until its result expires."""

import uuid
from typing import Any
from unittest.mock import Mock

import pytest
from celery import shared_task
from celery.result import AsyncResult

from {{ cookiecutter.project_slug }} import stoppable_task, submissions, tracking
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.stoppable_task import stop_if_asked
from {{ cookiecutter.project_slug }}.submissions import RefusedError, Submission, UnavailableError
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping
from {{ cookiecutter.project_slug }}.tracking import TaskStatus

from .conftest import Ran


@shared_task(bind=True)
def fail(self: Any) -> None:
    """Reports its progress, and fails."""
    self.update_state(state="PROGRESS", meta={"done": 1})
    seen.append(tracking.status(self.request.id))
    raise ValueError("not today")


@shared_task(bind=True)
def obey(self: Any) -> str:
    """Is asked to stop while it runs."""
    tracking.cancel(TaskStatus(id=self.request.id, task=self.name, state="STARTED"))
    stop_if_asked(self)
    return "went on"


seen: list[TaskStatus | None] = []


def submission(task: Any, **arguments: Any) -> Submission:
    """Return a submission of a task, listed or not."""
    return submissions.submission_model(task).model_validate({"task": task.name, "arguments": arguments})


def shown(task_id: str, task: Any, state: str, **fields: Any) -> TaskStatus:
    """Return what `status` is to return."""
    return TaskStatus(id=uuid.UUID(task_id), task=task.name, state=state, **fields)


def test_an_id_that_was_never_submitted_is_unknown() -> None:
    assert tracking.status(str(uuid.uuid4())) is None


def test_a_submitted_task_is_known_before_a_worker_sees_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "publish", lambda *args, **kwargs: None)
    task_id = tracking.submit(submission(ping))
    assert tracking.status(task_id) == shown(task_id, ping, "PENDING")
    assert AsyncResult(task_id, app=app).state == "PENDING"
    assert not AsyncResult(task_id, app=app).ready()


@pytest.mark.integration
def test_its_result_is_kept_although_others_are_not(outcome: Ran) -> None:
    assert app.conf.task_ignore_result
    task_id = tracking.submit(submission(ping, text="hello"))
    assert outcome(task_id) == "SUCCESS"
    assert tracking.status(task_id) == shown(task_id, ping, "SUCCESS", result="hello")
    assert AsyncResult(task_id, app=app).get(timeout=30, interval=0.05) == "hello"
    app.backend.forget(task_id)
    assert tracking.status(task_id) is None


@pytest.mark.integration
def test_its_progress_and_its_error_are_kept(outcome: Ran) -> None:
    task_id = tracking.submit(submission(fail))
    assert outcome(task_id) == "FAILURE"
    error = tracking.Failure(type="ValueError", message="not today")
    assert seen == [shown(task_id, fail, "PROGRESS", progress={"done": 1})]
    assert tracking.status(task_id) == shown(task_id, fail, "FAILURE", error=error)


@pytest.mark.integration
def test_a_task_that_waits_does_not_start_once_it_is_cancelled(outcome: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[Any] = []
    monkeypatch.setattr(tracking, "publish", lambda *args, **headers: sent.append((args, headers)))
    task_id = tracking.submit(submission(ping))
    # No worker hears of it; the record alone has to do.
    monkeypatch.setattr(app.control, "revoke", lambda task_id: None)
    tracking.cancel(shown(task_id, ping, "PENDING"))
    (args, headers) = sent.pop()
    submissions.publish(*args, **headers)
    outcome(task_id)
    assert tracking.status(task_id) == shown(task_id, ping, "REVOKED")


@pytest.mark.integration
def test_a_task_that_runs_stops_where_it_looks(outcome: Ran, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.control, "revoke", lambda task_id: None)
    log = Mock()
    monkeypatch.setattr(stoppable_task, "log", log)
    task_id = tracking.submit(submission(obey))
    outcome(task_id)
    assert tracking.status(task_id) == shown(task_id, obey, "REVOKED")
    log.info.assert_called_once_with("task cancelled")


def test_a_task_that_celery_has_revoked_still_has_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    # A worker that hears of it would store the same at the same time.
    monkeypatch.setattr(app.control, "revoke", lambda task_id: None)
    task_id = str(uuid.uuid4())
    tracking.cancel(shown(task_id, ping, "PENDING"))
    app.backend.mark_as_revoked(task_id)
    assert tracking.status(task_id) == shown(task_id, ping, "REVOKED")


def test_a_task_that_could_not_be_sent_leaves_no_record(monkeypatch: pytest.MonkeyPatch) -> None:
    ids: list[str] = []

    def refuse(submission: Submission, task_id: str, **_: Any) -> None:
        ids.append(task_id)
        raise ConnectionError("the broker is away")

    monkeypatch.setattr(tracking, "publish", refuse)
    monkeypatch.setattr(tracking, "in_background", submissions.promptly)
    with pytest.raises(UnavailableError):
        tracking.submit(submission(ping))
    assert tracking.status(ids[0]) is None


def test_a_key_identifies_one_submission_of_one_client(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(tracking, "publish", lambda submission, task_id, **_: sent.append(task_id))
    first = tracking.submit(submission(ping), "shop", "order 1")
    assert tracking.submit(submission(ping), "shop", "order 1") == first
    other = tracking.submit(submission(ping), "billing", "order 1")
    assert sent == [first, other]
    with pytest.raises(RefusedError, match="Idempotency-Key"):
        tracking.submit(submission(fail), "shop", "order 1")
    app.backend.forget(first)
    assert tracking.submit(submission(ping), "shop", "order 1") == first
    assert sent == [first, other, first]


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
def test_any_result_can_be_shown_as_json(value: Any, json: Any) -> None:
    assert tracking.plain(value) == json


def test_a_result_of_endless_depth_can_be_shown() -> None:
    deep: list[Any] = []
    deep.append(deep)
    assert str(tracking.plain(deep)).count("[") < 200
