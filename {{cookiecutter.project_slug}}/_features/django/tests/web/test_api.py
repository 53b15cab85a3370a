"""What holds for every operation: who may call it, what goes wrong in which form, and how it is described."""

import json
from typing import Any

import pytest
from django.test import Client

from {{ cookiecutter.project_slug }} import submissions
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping
from {{ cookiecutter.project_slug }}.users.models import User
from {{ cookiecutter.project_slug }}.web.api import api

from .conftest import KEY, LogIn

# With real commits: the result backend, which may be in the database, is called in threads.
pytestmark = pytest.mark.django_db(transaction=True)

SCHEMA: dict[str, Any] = api.get_openapi_schema(path_prefix="/")
OPERATIONS = [(method, path) for path, methods in SCHEMA["paths"].items() for method in methods]
NOBODY = "00000000-0000-4000-8000-000000000000"


def call(client: Client, method: str, path: str, body: Any = None, **headers: str) -> Any:
    """Return the response to a request with a JSON body."""
    return client.generic(
        method.upper(),
        path.replace("{task_id}", NOBODY),
        json.dumps(body),
        content_type="application/json",
        headers=headers,
    )


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@pytest.mark.parametrize("key", [None, "", "wrong"])
def test_without_a_key_or_a_session_every_operation_is_closed(
    client: Client, method: str, path: str, key: str | None
) -> None:
    response = call(client, method, path, {"task": ping.name}, **({} if key is None else {"X-API-Key": key}))
    assert response.status_code == response.json()["status"] == 401
    assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_operation_requires_a_permission(log_in: LogIn, method: str, path: str) -> None:
    response = call(log_in(), method, path, {"task": ping.name})
    assert response.status_code == 403
    assert "permission web." in response.json()["detail"]


def test_a_key_acts_as_the_active_user_of_its_name(with_key: LogIn) -> None:
    client = with_key("view_task")
    assert client.get("/task-types").status_code == 200
    assert call(client, "POST", "/tasks", {"task": ping.name}).status_code == 403
    User.objects.update(is_active=False)
    assert client.get("/task-types").status_code == 401


def test_a_key_without_a_user_is_refused(with_key: LogIn) -> None:
    client = with_key("view_task")
    User.objects.all().delete()
    assert client.get("/task-types", headers={"X-API-Key": KEY}).status_code == 401


def test_another_site_cannot_submit_with_a_person_s_session(log_in: LogIn) -> None:
    client = log_in("submit_task", enforce_csrf_checks=True)
    response = call(client, "POST", "/tasks", {"task": ping.name})
    assert (response.status_code, response.headers["Content-Type"]) == (403, "application/problem+json")


def test_the_submittable_tasks_and_the_queues_are_listed(log_in: LogIn) -> None:
    client = log_in("view_task")
    response = client.get("/task-types")
    assert [task["name"] for task in response.json()] == list(submissions.models())
    assert "no-store" in response.headers["Cache-Control"]
    assert client.get("/queues").status_code == 200


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[" * 60_000, 400),
        (b" " * 2621441, 413),
        (b"", 422),
        (b'{"task": "celery.backend_cleanup"}', 422),
        (b'{"task": "%s", "arguments": {"text": 1}}' % ping.name.encode(), 422),
        (b'{"task": "%s", "arguments": {"%s": 1}}' % (ping.name.encode(), b"secret" * 1000), 422),
    ],
    ids=["no-json", "deep", "large", "empty", "unlisted", "wrong-type", "unknown-argument"],
)
def test_a_wrong_submission_is_refused(log_in: LogIn, body: bytes, status: int) -> None:
    response = log_in("submit_task").post("/tasks", body, content_type="application/json")
    assert response.status_code == response.json()["status"] == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert len(response.content) < 1000


def test_the_field_of_an_error_is_that_of_the_body(log_in: LogIn) -> None:
    response = call(log_in("submit_task"), "POST", "/tasks", {"task": ping.name, "arguments": {"text": 1}})
    assert [error["field"] for error in response.json()["errors"]] == ["body.arguments.text"]


def test_a_broker_that_is_unavailable_is_503(log_in: LogIn, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: Any, **options: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(ping, "apply_async", refuse)
    response = call(log_in("submit_task"), "POST", "/tasks", {"task": ping.name})
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0


def test_a_submitted_task_is_sent_with_its_arguments_and_the_request_s_id(
    with_key: LogIn, monkeypatch: pytest.MonkeyPatch, request_lines: list[Any]
) -> None:
    sent: dict[str, Any] = {}
    monkeypatch.setattr(ping, "apply_async", lambda **options: sent.update(options))
    body = {"task": ping.name, "arguments": {"text": "hello"}}
    response = call(with_key("submit_task"), "POST", "/tasks", body, **{"X-API-Key": KEY, "X-Request-ID": "request-1"})
    assert response.status_code == 202
    assert (sent["kwargs"], sent["task_id"]) == ({"text": "hello"}, response.json()["id"])
    assert response.headers["X-Request-ID"] == request_lines[0]["request_id"] == "request-1"
    assert request_lines[0]["client"] == User.objects.get().username


def test_a_method_that_does_not_exist_is_refused_with_those_that_do(log_in: LogIn) -> None:
    response = log_in("view_task").put("/tasks")
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")


def test_generated_clients_have_stable_names() -> None:
    operations = [operation for methods in SCHEMA["paths"].values() for operation in methods.values()]
    assert {"tasks-submit", "overview-task_types", "overview-queues"} <= {each["operationId"] for each in operations}
    assert {tag for each in operations for tag in each["tags"]} == {"tasks", "overview"}


def test_the_description_is_not_served_unless_it_is_enabled(client: Client) -> None:
    assert [client.get(path).status_code for path in ("/docs", "/openapi.json")] == [404, 404]
