"""What becomes of a submitted task can be seen and stopped by those who may."""

import uuid
from typing import Any

import pytest
from celery import states

from {{ cookiecutter.project_slug }} import tracking
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.submissions import models
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping

from ..conftest import Ran
from .conftest import KEY, LogIn

# With real commits: the result backend, which may be in the database, is asked in threads.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def waiting(monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a task that no worker has seen."""
    monkeypatch.setattr(tracking, "publish", lambda *args, **headers: None)
    return f"/tasks/{tracking.submit(models()[ping.name].model_validate({'task': ping.name}))}"


def test_a_task_is_there_as_soon_as_it_is_submitted(log_in: LogIn, waiting: str) -> None:
    response = log_in("view_task").get(waiting)
    assert (response.json()["task"], response.json()["state"]) == (ping.name, "PENDING")


def test_a_repeated_submission_sends_one_task(with_key: LogIn, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(tracking, "publish", lambda submission, task_id, **headers: sent.append(task_id))
    client = with_key("submit_task")
    headers = {"X-API-Key": KEY, "Idempotency-Key": str(uuid.uuid4())}
    responses = [
        client.post("/tasks", {"task": ping.name}, content_type="application/json", headers=headers) for _ in range(2)
    ]
    assert [response.json()["id"] for response in responses] == sent * 2


def test_each_method_asks_for_its_permission(log_in: LogIn, waiting: str) -> None:
    assert log_in("cancel_task", "submit_task").get(waiting).status_code == 403
    assert log_in("view_task", "submit_task").delete(waiting).status_code == 403


@pytest.mark.parametrize(("task_id", "status"), [(str(uuid.UUID(int=0)), 404), ("something-else", 422)])
def test_what_was_never_submitted_is_not_found(log_in: LogIn, task_id: str, status: int) -> None:
    client = log_in("view_task", "cancel_task")
    for response in (client.get(f"/tasks/{task_id}"), client.delete(f"/tasks/{task_id}")):
        assert response.status_code == status
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
