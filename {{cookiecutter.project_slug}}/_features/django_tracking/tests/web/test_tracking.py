"""Showing and cancelling submitted tasks, and their permissions."""

import uuid
from typing import Any

import pytest
from celery import states

from {{ cookiecutter.project_slug }} import tracking
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.submissions import load_models
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping

from ..conftest import WaitForTask
from .conftest import KEY, ClientFactory

# Real commits, since threads call the result backend, which can be the database.
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def task_url(monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of a submitted task that no worker receives."""
    monkeypatch.setattr(tracking, "publish", lambda *args, **headers: None)
    return f"/tasks/{tracking.submit(load_models()[ping.name].model_validate({'task': ping.name}))}"


def test_a_queued_task_is_pending(session_client: ClientFactory, task_url: str) -> None:
    response = session_client("view_task").get(task_url)
    assert (response.json()["task"], response.json()["state"]) == (ping.name, "PENDING")


def test_an_idempotency_key_publishes_one_task(api_key_client: ClientFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[str] = []
    monkeypatch.setattr(tracking, "publish", lambda submission, task_id, **headers: published.append(task_id))
    client = api_key_client("submit_task")
    headers = {"X-API-Key": KEY, "Idempotency-Key": str(uuid.uuid4())}
    responses = [
        client.post("/tasks", {"task": ping.name}, content_type="application/json", headers=headers) for _ in range(2)
    ]
    assert [response.json()["id"] for response in responses] == published * 2


def test_each_method_requires_its_permission(session_client: ClientFactory, task_url: str) -> None:
    assert session_client("cancel_task", "submit_task").get(task_url).status_code == 403
    assert session_client("view_task", "submit_task").delete(task_url).status_code == 403


@pytest.mark.parametrize(("task_id", "status"), [(str(uuid.UUID(int=0)), 404), ("something-else", 422)])
def test_an_unknown_or_invalid_id_returns_problem_details(
    session_client: ClientFactory, task_id: str, status: int
) -> None:
    client = session_client("view_task", "cancel_task")
    for response in (client.get(f"/tasks/{task_id}"), client.delete(f"/tasks/{task_id}")):
        assert response.status_code == status
        assert response.headers["Content-Type"] == "application/problem+json"


def test_a_task_can_be_cancelled_repeatedly(
    session_client: ClientFactory, task_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    revoked: list[Any] = []
    monkeypatch.setattr(app.control, "revoke", revoked.append)
    client = session_client("cancel_task")
    assert client.delete(task_url).status_code == 202
    assert client.delete(task_url).status_code == 202


def test_a_task_that_has_ended_cannot_be_cancelled(session_client: ClientFactory, task_url: str) -> None:
    app.backend.store_result(task_url.removeprefix("/tasks/"), "pong", states.SUCCESS)
    assert session_client("cancel_task").delete(task_url).status_code == 409


@pytest.mark.integration
def test_the_result_of_a_task_is_returned(session_client: ClientFactory, wait_for_task: WaitForTask) -> None:
    client = session_client("submit_task", "view_task")
    body = {"task": ping.name, "arguments": {"text": "hello"}}
    submitted = client.post("/tasks", body, content_type="application/json")
    assert wait_for_task(submitted.json()["id"]) == "SUCCESS"
    assert client.get(submitted.headers["Location"]).json()["result"] == "hello"
