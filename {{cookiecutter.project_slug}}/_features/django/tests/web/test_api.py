"""Authentication, permissions, errors and the OpenAPI schema of all operations."""

import json
import re
from typing import Any
from unittest.mock import Mock

import pytest
from django.test import Client

from {{ cookiecutter.project_slug }} import submissions
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping
from {{ cookiecutter.project_slug }}.users.models import User
from {{ cookiecutter.project_slug }}.web.api import api

from .conftest import KEY, ClientFactory

pytestmark = pytest.mark.django_db

SCHEMA: dict[str, Any] = api.get_openapi_schema(path_prefix="/")
OPERATIONS = [(method, path) for path, methods in SCHEMA["paths"].items() for method in methods]
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


def body_of(path: str) -> dict[str, Any]:
    """Return a valid request body."""
    return {"task": ping.name} if path == "/tasks" else {"all": True}


def call(client: Client, method: str, path: str, body: Any = None, **headers: str) -> Any:
    """Send a request with a JSON body, and return the response."""
    return client.generic(
        method.upper(),
        path.replace("{task_id}", UNKNOWN_ID),
        json.dumps(body),
        content_type="application/json",
        headers=headers,
    )


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@pytest.mark.parametrize("key", [None, "", "wrong"])
def test_every_operation_requires_a_key_or_a_session(client: Client, method: str, path: str, key: str | None) -> None:
    response = call(client, method, path, body_of(path), **({} if key is None else {"X-API-Key": key}))
    assert response.status_code == response.json()["status"] == 401
    assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_operation_requires_a_permission(session_client: ClientFactory, method: str, path: str) -> None:
    response = call(session_client(), method, path, body_of(path))
    assert response.status_code == 403
    assert re.search(r"permission (web|history{{ "|control" if plan().features.control }})\.\w+ is required", response.json()["detail"])


def test_a_key_authenticates_the_active_user_of_its_name(api_key_client: ClientFactory) -> None:
    client = api_key_client("view_task")
    assert client.get("/task-types").status_code == 200
    assert call(client, "POST", "/tasks", {"task": ping.name}).status_code == 403
    User.objects.update(is_active=False)
    assert client.get("/task-types").status_code == 401


def test_a_key_without_a_user_is_refused(api_key_client: ClientFactory) -> None:
    client = api_key_client("view_task")
    User.objects.all().delete()
    assert client.get("/task-types", headers={"X-API-Key": KEY}).status_code == 401


def test_a_session_requires_a_csrf_token(session_client: ClientFactory) -> None:
    client = session_client("submit_task", enforce_csrf_checks=True)
    response = call(client, "POST", "/tasks", {"task": ping.name})
    assert (response.status_code, response.headers["Content-Type"]) == (403, "application/problem+json")


def test_the_submittable_tasks_and_the_queues_are_listed(session_client: ClientFactory) -> None:
    client = session_client("view_task")
    response = client.get("/task-types")
    assert [task["name"] for task in response.json()] == list(submissions.load_models())
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
    ids=["invalid-json", "deep", "large", "empty", "not-submittable", "wrong-type", "unknown-argument"],
)
def test_an_invalid_submission_is_refused(session_client: ClientFactory, body: bytes, status: int) -> None:
    response = session_client("submit_task").post("/tasks", body, content_type="application/json")
    assert response.status_code == response.json()["status"] == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert len(response.content) < 1000


def test_the_field_of_an_error_is_its_path_in_the_body(session_client: ClientFactory) -> None:
    response = call(session_client("submit_task"), "POST", "/tasks", {"task": ping.name, "arguments": {"text": 1}})
    assert [error["field"] for error in response.json()["errors"]] == ["body.arguments.text"]


def test_an_unreachable_broker_returns_503(session_client: ClientFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(ping, "apply_async", fail)
    response = call(session_client("submit_task"), "POST", "/tasks", {"task": ping.name})
    assert response.status_code == 503
    assert int(response.headers["Retry-After"]) > 0


@pytest.mark.django_db(transaction=True)  # a thread calls the result backend, which can be the database
def test_a_submitted_task_is_published_with_its_arguments_and_the_request_id(
    api_key_client: ClientFactory, monkeypatch: pytest.MonkeyPatch, request_logs: list[Any]
) -> None:
    published: dict[str, Any] = {}

    def publish(**options: Any) -> Mock:
        published.update(options)
        return Mock(id=options["task_id"])

    monkeypatch.setattr(ping, "apply_async", publish)
    body = {"task": ping.name, "arguments": {"text": "hello"}}
    headers = {"X-API-Key": KEY, "X-Request-ID": "request-1"}
    response = call(api_key_client("submit_task"), "POST", "/tasks", body, **headers)
    assert response.status_code == 202
    assert (published["kwargs"], published["task_id"]) == ({"text": "hello"}, response.json()["id"])
    assert response.headers["X-Request-ID"] == request_logs[0]["request_id"] == "request-1"
    assert request_logs[0]["client"] == User.objects.get().username


def test_an_unknown_method_returns_405_with_the_allowed_methods(session_client: ClientFactory) -> None:
    response = session_client("view_task").put("/tasks")
    assert (response.status_code, response.headers["Allow"]) == (405, "POST")


def test_operation_ids_are_stable() -> None:
    operations = [operation for methods in SCHEMA["paths"].values() for operation in methods.values()]
    assert {"tasks-submit", "overview-task_types", "overview-queues"} <= {each["operationId"] for each in operations}
    assert {tag for each in operations for tag in each["tags"]} == {"tasks", "overview", "dead-letters"}


def test_the_openapi_schema_is_not_served_by_default(client: Client) -> None:
    assert [client.get(path).status_code for path in ("/docs", "/openapi.json")] == [404, 404]
