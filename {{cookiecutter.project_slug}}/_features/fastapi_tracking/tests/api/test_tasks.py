"""Submitting, showing, following and cancelling tasks."""

import json
import uuid
from typing import Any

import pytest
from fastapi.testclient import TestClient

from {{ cookiecutter.project_slug }} import tracking
from {{ cookiecutter.project_slug }}.api import tasks
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping

from ..conftest import WaitForTask


@pytest.fixture
def task_url(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the URL of a submitted task that no worker receives."""
    monkeypatch.setattr(tracking, "publish", lambda *args, **kwargs: None)
    return str(client.post("/tasks", json={"task": ping.name}).headers["Location"])


def store_result(task_url: str, result: Any, state: str) -> None:
    """Store a result as a worker does."""
    app.backend.store_result(task_url.rpartition("/")[2], result, state)


@pytest.mark.integration
def test_a_submitted_task_runs_and_its_result_is_returned(client: TestClient, wait_for_task: WaitForTask) -> None:
    response = client.post("/tasks", json={"task": ping.name, "arguments": {"text": "hello"}})
    assert response.status_code == 202
    task_id = response.json()["id"]
    assert response.headers["Location"] == f"/tasks/{task_id}"
    assert wait_for_task(task_id) == "SUCCESS"
    status = client.get(f"/tasks/{task_id}").json()
    assert status.pop("id") == task_id
    assert status == {"task": ping.name, "state": "SUCCESS", "result": "hello", "error": None, "progress": None}
    assert client.delete(f"/tasks/{task_id}").status_code == 409


def test_an_idempotency_key_publishes_one_task(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    published: list[str] = []
    monkeypatch.setattr(tracking, "publish", lambda submission, task_id, **headers: published.append(task_id))
    keys = [str(uuid.uuid4()), str(uuid.uuid4())]
    responses = [
        client.post("/tasks", json={"task": ping.name}, headers={"Idempotency-Key": key}) for key in [*keys, *keys]
    ]
    assert [response.status_code for response in responses] == [202] * 4
    assert [response.json()["id"] for response in responses] == published * 2


def test_a_queued_task_is_pending(client: TestClient, task_url: str) -> None:
    assert client.get(task_url).json()["state"] == "PENDING"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(
    ("task_id", "status"), [(str(uuid.uuid4()), 404), ("1", 422), ("%00", 422), ("celery-task-meta-1", 422), ("é", 422)]
)
def test_an_unknown_or_invalid_id_returns_problem_details(
    client: TestClient, method: str, task_id: str, status: int
) -> None:
    for path in (f"/tasks/{task_id}", f"/tasks/{task_id}/events"):
        response = client.request(method, path)
        expected = 405 if method == "DELETE" and path.endswith("/events") else status
        assert response.status_code == expected
        assert response.headers["Content-Type"] == "application/problem+json"


def test_the_progress_of_a_task_is_returned(client: TestClient, task_url: str) -> None:
    store_result(task_url, {"done": 1, "of": 2}, "PROGRESS")
    assert client.get(task_url).json()["progress"] == {"done": 1, "of": 2}


def test_the_error_of_a_task_is_returned(client: TestClient, task_url: str) -> None:
    store_result(task_url, ValueError("out of memory"), "FAILURE")
    assert client.get(task_url).json()["error"] == {"type": "ValueError", "message": "out of memory"}


@pytest.mark.parametrize("result", [float("nan"), "\ud800", {"a": [1e300 * 10, None]}, [[[[[]]]]]])
def test_a_result_that_json_does_not_support_is_returned(client: TestClient, task_url: str, result: Any) -> None:
    store_result(task_url, result, "SUCCESS")
    assert client.get(task_url).status_code == 200


def test_an_expired_result_returns_404(client: TestClient, task_url: str) -> None:
    app.backend.forget(task_url.rpartition("/")[2])
    assert client.get(task_url).status_code == 404


def test_a_task_can_be_cancelled_repeatedly(client: TestClient, task_url: str) -> None:
    assert client.delete(task_url).status_code == 202
    assert client.delete(task_url).status_code == 202
    store_result(task_url, None, "REVOKED")
    assert client.delete(task_url).json()["state"] == "REVOKED"


def parse_events(text: str) -> list[tuple[str, Any]]:
    """Return the names and data of server-sent events."""
    blocks = [block.split("\n") for block in text.strip().split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


def test_a_stream_has_each_change_until_the_task_ends(
    client: TestClient, task_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    task_id = uuid.UUID(task_url.rpartition("/")[2])
    changes = iter(
        [
            tracking.TaskStatus(id=task_id, task=ping.name, state="PENDING"),
            tracking.TaskStatus(id=task_id, task=ping.name, state="PROGRESS", progress=1),
            tracking.TaskStatus(id=task_id, task=ping.name, state="PROGRESS", progress=1),
            tracking.TaskStatus(id=task_id, task=ping.name, state="SUCCESS", result="\n\ndata: x"),
        ]
    )
    monkeypatch.setattr(tracking, "read_status", lambda _: next(changes))
    monkeypatch.setattr(tasks, "POLL_INTERVAL", 0)
    response = client.get(f"{task_url}/events")
    assert response.headers["Content-Type"].startswith("text/event-stream")
    received = [(name, data["state"], data["progress"]) for name, data in parse_events(response.text)]
    assert received == [("status", "PENDING", None), ("status", "PROGRESS", 1), ("end", "SUCCESS", None)]


def test_a_stream_ends_after_its_maximum_duration(
    client: TestClient, task_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "POLL_INTERVAL", 0)
    monkeypatch.setattr(tasks, "MAX_STREAM_SECONDS", 0)
    assert [name for name, _ in parse_events(client.get(f"{task_url}/events").text)] == ["status"]


def test_the_number_of_streams_is_limited(client: TestClient, task_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "MAX_STREAM_SECONDS", 0)
    monkeypatch.setattr(tasks._streams, "total_tokens", 1)
    assert client.get(f"{task_url}/events").status_code == 200
    tasks._streams.acquire_on_behalf_of_nowait("another client")
    assert client.get(f"{task_url}/events").status_code == 503
    tasks._streams.release_on_behalf_of("another client")
    assert client.get(f"{task_url}/events").status_code == 200
