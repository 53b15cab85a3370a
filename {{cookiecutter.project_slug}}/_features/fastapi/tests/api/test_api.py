"""Authentication, errors, the OpenAPI schema and time limits of all endpoints."""

import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from {{ cookiecutter.project_slug }} import api, api_keys, readiness, submissions
from {{ cookiecutter.project_slug }}.api import create_app
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.settings import env
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping

from ..conftest import ENVIRONMENT, WaitForTask

SCHEMA: dict[str, Any] = create_app().openapi()
ENDPOINTS = [(method.upper(), path) for path, methods in SCHEMA["paths"].items() for method in methods]
PROTECTED = [endpoint for endpoint in ENDPOINTS if not endpoint[1].startswith("/health/")]
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(("method", "path"), PROTECTED)
@pytest.mark.parametrize("key", [None, "", "wrong", "ü" * 16])
def test_every_endpoint_requires_a_key(anonymous_client: TestClient, method: str, path: str, key: str | None) -> None:
    headers = [] if key is None else [(b"X-API-Key", key.encode())]
    body = {"task": ping.name} if method == "POST" else None
    response = anonymous_client.request(method, path.replace("{task_id}", UNKNOWN_ID), json=body, headers=headers)
    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "APIKey"
    assert response.json()["title"] == "Unauthorized"


@pytest.mark.parametrize("keys", [[("shop", "first")], [("shop", "first"), ("billing", "second")]])
def test_each_key_is_accepted_and_its_owner_is_logged(
    anonymous_client: TestClient, monkeypatch: pytest.MonkeyPatch, request_logs: list[Any], keys: list[tuple[str, str]]
) -> None:
    monkeypatch.setattr(api_keys, "KEYS", keys)
    for _, key in keys:
        assert anonymous_client.get("/task-types", headers={"X-API-Key": key}).status_code == 200
    assert [line["client"] for line in request_logs] == [name for name, _ in keys]


def test_liveness_requires_no_key(anonymous_client: TestClient) -> None:
    assert anonymous_client.get("/health/live").json() == {"live": True}


def test_a_request_is_logged_once(client: TestClient, request_logs: list[Any]) -> None:
    client.get("/task-types?a=1", headers={"X-Request-ID": "request-1"})
    (line,) = request_logs
    assert (line["method"], line["path"], line["status"]) == ("GET", "/task-types", 200)
    assert (line["client"], line["request_id"]) == ("default", "request-1")


def test_the_openapi_schema_is_served_only_if_it_is_enabled(monkeypatch: pytest.MonkeyPatch) -> None:
    for enabled, status in ((False, 404), (True, 200)):
        monkeypatch.setattr(api, "env", env.model_copy(update={"api_docs": enabled}))
        client = TestClient(create_app())
        assert [client.get(path).status_code for path in ("/docs", "/openapi.json")] == [status, status]


def test_operation_ids_are_stable() -> None:
    operations = [operation for methods in SCHEMA["paths"].values() for operation in methods.values()]
    assert {"tasks-submit", "overview-task_types", "overview-queues"} <= {each["operationId"] for each in operations}
    tags = {tag["name"] for tag in SCHEMA["tags"]}
    assert all(set(operation["tags"]) <= tags for operation in operations)


@pytest.mark.parametrize("key", ["", "too short"])
def test_the_api_does_not_start_without_a_long_key(key: str) -> None:
    command = "from {{ cookiecutter.project_slug }}.api import create_app; create_app()"
    started = subprocess.run(
        [sys.executable, "-c", command],
        env=ENVIRONMENT | {"API_KEY": key},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert started.returncode == 1
    assert started.stderr.startswith("API_KEY: ")
    assert started.stderr.count("\n") == 1


def test_systemd_is_notified_of_start_heartbeat_and_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        with TestClient(create_app()):
            assert {systemd.recv(64), systemd.recv(64)} == {b"READY=1", b"WATCHDOG=1"}
        assert systemd.recv(64) == b"STOPPING=1"


@pytest.mark.parametrize(("method", "path"), ENDPOINTS)
def test_every_endpoint_documents_its_errors(method: str, path: str) -> None:
    responses = SCHEMA["paths"][path][method.lower()]["responses"]
    assert "description" in next(iter(responses.values()))
    assert (method, path) not in PROTECTED or "401" in responses
    for status, response in responses.items():
        if status >= "400" and path != "/health/ready":
            assert list(response["content"]) == ["application/problem+json"]


def test_the_submittable_tasks_are_described(client: TestClient) -> None:
    body = SCHEMA["paths"]["/tasks"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    if len(submissions.load_models()) > 1:
        assert list(body["discriminator"]["mapping"]) == list(submissions.load_models())
    listed = client.get("/task-types").json()
    assert [task["name"] for task in listed] == list(submissions.load_models())
    assert "text" in listed[0]["arguments"]["properties"]


@pytest.mark.parametrize(
    ("method", "path", "status", "allowed"),
    [("GET", "/nowhere", 404, None), ("PATCH", "/tasks", 405, "POST"), ("TRACE", "/queues", 405, "GET")],
)
def test_an_unknown_path_or_method_returns_problem_details(
    client: TestClient, method: str, path: str, status: int, allowed: str | None
) -> None:
    response = client.request(method, path)
    assert (response.status_code, response.headers.get("Allow")) == (status, allowed)
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["status"] == status


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 422),
        (b"[" * 60_000, "application/json", 400),
        (b'{"task": "celery.backend_cleanup"}', "application/json", 422),
        (b"{}", "text/plain", 422),
        (b"{}", "", 422),
        (b"{}", "application/json; charset", 422),
    ],
)
def test_an_invalid_body_returns_problem_details(
    client: TestClient, body: bytes, content_type: str, status: int
) -> None:
    response = client.post("/tasks", content=body, headers={"Content-Type": content_type})
    assert response.status_code == status
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["request_id"] == response.headers["X-Request-ID"]


def test_a_large_body_is_refused(client: TestClient) -> None:
    response = client.post("/tasks", content=b" " * 70_000)
    assert response.status_code == 413
    assert response.headers["X-Request-ID"]


def test_an_error_response_does_not_contain_the_input(client: TestClient) -> None:
    for body in ({"task": "x" * 10_000}, {"task": ping.name, "arguments": {"secret" * 1000: 1}}):
        response = client.post("/tasks", json=body)
        assert response.status_code == 422
        assert len(response.content) < 1000


def test_an_unhandled_exception_returns_no_details(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, request_logs: list[Any]
) -> None:
    monkeypatch.setattr(submissions, "list_task_types", lambda: 1 / 0)
    response = client.get("/task-types")
    assert response.status_code == 500
    assert response.json() == {"type": "about:blank", "title": "Internal Server Error", "status": 500}
    assert [line["status"] for line in request_logs] == [500]


@pytest.mark.integration
def test_the_request_id_is_passed_to_the_task(client: TestClient, wait_for_task: WaitForTask) -> None:
    request_ids = {}

    def record(headers: dict[str, Any], **_: Any) -> None:
        request_ids[headers["id"]] = headers["request_id"]

    from celery.signals import after_task_publish

    after_task_publish.connect(record)
    response = client.post("/tasks", json={"task": ping.name}, headers={"X-Request-ID": "from-caller_1.2"})
    assert response.headers["X-Request-ID"] == "from-caller_1.2"
    task_id = response.json()["id"]
    assert wait_for_task(task_id) == "SUCCESS"
    assert request_ids[task_id] == "from-caller_1.2"


def test_a_hanging_broker_returns_503_and_does_not_block_other_requests(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = threading.Event()
    hanging = threading.Event()

    def hang(*_: Any, **__: Any) -> None:
        hanging.set()
        released.wait(10)

    monkeypatch.setattr(app.amqp, "send_task_message", hang)
    responses: list[tuple[int, float, str]] = []

    def submit() -> None:
        started = time.monotonic()
        response = client.post("/tasks", json={"task": ping.name})
        responses.append((response.status_code, time.monotonic() - started, response.headers["Retry-After"]))

    clients = [threading.Thread(target=submit) for _ in range(20)]
    for thread in clients:
        thread.start()
    assert hanging.wait(10)
    started = time.monotonic()
    assert client.get("/health/live").status_code == 200
    assert time.monotonic() - started < 1.4
    for thread in clients:
        thread.join()
    released.set()
    # Wait for calls that have not ended: they would publish during the next test.
    idle = threading.Barrier(submissions._executor._max_workers)
    for each in [submissions._executor.submit(idle.wait, 30) for _ in range(idle.parties)]:
        each.result()
    assert {status for status, _, _ in responses} == {503}
    # The limit is two seconds. Allow more on a busy machine, but less than the broker hangs.
    assert max(seconds for _, seconds, _ in responses) < 5
    assert {retry_after for _, _, retry_after in responses} == {"5"}


def test_an_unreachable_broker_returns_503(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise ConnectionError

    monkeypatch.setattr(app.amqp, "send_task_message", refuse)
    response = client.post("/tasks", json={"task": ping.name})
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")


@pytest.mark.usefixtures("no_workers")
def test_readiness_returns_503_without_workers(anonymous_client: TestClient) -> None:
    response = anonymous_client.get("/health/ready")
    assert response.status_code == 503
    assert not response.json()["ready"]
    assert response.json()["servers"]["broker"]


@pytest.mark.usefixtures("no_workers")
def test_the_queues_are_listed(client: TestClient) -> None:
    assert [queue["name"] for queue in client.get("/queues").json()] == list(QueueName)


def test_the_list_of_queues_returns_503_without_a_broker(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise ConnectionError

    monkeypatch.setattr(readiness, "read_lengths", refuse)
    assert client.get("/queues").status_code == 503
