"""Whoever may submit tasks can submit those that are listed, and is told what is wrong."""

from typing import Any

import pytest
from django.test import Client

from {{ cookiecutter.project_slug }}.submissions import SUBMITTABLE
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping

from .conftest import LogIn

# With real commits: the result backend, which may be in the database, is asked in threads.
pytestmark = pytest.mark.django_db(transaction=True)


def submit(client: Client, body: Any, content_type: str = "application/json", **headers: str) -> Any:
    """The response to a submission."""
    return client.post("/tasks", body, content_type=content_type, headers=headers)


def test_nobody_gets_in_without_logging_in(client: Client) -> None:
    for path in ("/tasks", "/queues"):
        response = client.get(path)
        assert response.status_code == 401
        assert response.headers["Content-Type"] == "application/problem+json"
    assert submit(client, {"task": ping.name}).status_code == 401


def test_each_method_asks_for_its_permission(log_in: LogIn) -> None:
    assert log_in("submit_task").get("/tasks").status_code == 403
    assert submit(log_in("view_task"), {"task": ping.name}).status_code == 403


def test_another_site_cannot_submit_in_somebody_s_name(log_in: LogIn) -> None:
    client = log_in("submit_task", enforce_csrf_checks=True)
    response = submit(client, {"task": ping.name})
    assert response.status_code == 403
    assert "X-CSRFToken" in response.json()["detail"]


def test_the_tasks_that_may_be_submitted_are_listed(log_in: LogIn) -> None:
    response = log_in("view_task").get("/tasks")
    assert [task["name"] for task in response.json()] == list(SUBMITTABLE)
    assert "no-store" in response.headers["Cache-Control"]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        ("{}", "text/plain", 415),
        (b"{", "application/json", 400),
        (b" " * 65537, "application/json", 413),
        (b" " * 2621441, "application/json", 413),
        ({"task": "celery.backend_cleanup"}, "application/json", 422),
        ({"task": ping.name, "arguments": {"text": 1}}, "application/json", 422),
    ],
)
def test_a_wrong_submission_is_refused(log_in: LogIn, body: Any, content_type: str, status: int) -> None:
    response = submit(log_in("submit_task"), body, content_type)
    assert response.status_code == response.json()["status"] == status


def test_a_broker_that_is_away_is_told(log_in: LogIn, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(ping, "apply_async", refuse)
    response = submit(log_in("submit_task"), {"task": ping.name})
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0


def test_a_submitted_task_goes_with_its_arguments_and_the_request_s_id(
    log_in: LogIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: dict[str, Any] = {}
    monkeypatch.setattr(ping, "apply_async", lambda **options: sent.update(options))
    body = {"task": ping.name, "arguments": {"text": "hello"}}
    response = submit(log_in("submit_task"), body, **{"X-Request-ID": "request-1"})
    assert response.status_code == 202
    assert (sent["kwargs"], sent["task_id"]) == ({"text": "hello"}, response.json()["id"])
    assert response.headers["X-Request-ID"] == "request-1"


def test_a_method_that_is_not_there_is_refused_with_those_that_are(log_in: LogIn) -> None:
    response = log_in("view_task").put("/tasks")
    assert response.status_code == 405
    assert response.headers["Allow"] == "GET, POST, HEAD, OPTIONS"
