"""What becomes of a submitted task can be seen and stopped by those who may."""

import uuid
from typing import Any

import pytest
from celery import states

from {{ cookiecutter.project_slug }} import tracking
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.submissions import Submission
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping

from ..conftest import Ran
from .conftest import LogIn

# With real commits: the result backend, which may be in the database, is asked in threads.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a task that no worker has seen."""
    monkeypatch.setattr(tracking, "publish", lambda *args, **headers: None)
    return f"/tasks/{tracking.submit(Submission(ping.name, {}))}"


def test_a_task_is_there_as_soon_as_it_is_submitted(log_in: LogIn, waiting: str) -> None:
    response = log_in("view_task").get(waiting)
    assert (response.json()["task"], response.json()["state"]) == (ping.name, "PENDING")


def test_each_method_asks_for_its_permission(log_in: LogIn, waiting: str) -> None:
    assert log_in("cancel_task", "submit_task").get(waiting).status_code == 403
    assert log_in("view_task", "submit_task").delete(waiting).status_code == 403


@pytest.mark.parametrize("task_id", [str(uuid.UUID(int=0)), "something-else"])
def test_what_was_never_submitted_is_not_found(log_in: LogIn, task_id: str) -> None:
    client = log_in("view_task", "cancel_task")
    for response in (client.get(f"/tasks/{task_id}"), client.delete(f"/tasks/{task_id}")):
        assert response.status_code == 404
        assert response.headers["Content-Type"] == "application/problem+json"


def test_a_task_can_be_cancelled_and_again(log_in: LogIn, waiting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    revoked: list[Any] = []
    monkeypatch.setattr(app.control, "revoke", revoked.append)
    client = log_in("cancel_task")
    assert client.delete(waiting).status_code == 202
    assert client.delete(waiting).status_code == 202


def test_one_that_has_ended_cannot(log_in: LogIn, waiting: str) -> None:
    app.backend.store_result(waiting.removeprefix("/tasks/"), "pong", states.SUCCESS)
    assert log_in("cancel_task").delete(waiting).status_code == 409


@pytest.mark.integration
def test_the_result_is_there_when_a_worker_has_run_it(log_in: LogIn, outcome: Ran) -> None:
    client = log_in("submit_task", "view_task")
    body = {"task": ping.name, "arguments": {"text": "hello"}}
    submitted = client.post("/tasks", body, content_type="application/json")
    assert outcome(submitted.json()["id"]) == "SUCCESS"
    assert client.get(submitted.headers["Location"]).json()["result"] == "hello"
