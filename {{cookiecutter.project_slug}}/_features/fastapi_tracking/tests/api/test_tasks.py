"""A task by way of the API: submitted, looked at, followed, cancelled."""

import json
import uuid
from typing import Any

import pytest
from fastapi.testclient import TestClient

from {{ cookiecutter.project_slug }} import tracking
from {{ cookiecutter.project_slug }}.api import tasks
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping

from ..conftest import Ran


@pytest.fixture
def pending(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where a task is that waits in its queue."""
    monkeypatch.setattr(tracking, "publish", lambda *args, **kwargs: None)
    return str(client.post("/tasks", json={"task": ping.name}).headers["Location"])


def store(address: str, result: Any, state: str) -> None:
    """What a worker would store."""
    app.backend.store_result(address.rpartition("/")[2], result, state)


@pytest.mark.integration
def test_a_submitted_task_runs_and_its_result_can_be_had(client: TestClient, outcome: Ran) -> None:
    response = client.post("/tasks", json={"task": ping.name, "arguments": {"text": "hello"}})
    assert response.status_code == 202
    task_id = response.json()["id"]
    assert response.headers["Location"] == f"/tasks/{task_id}"
    assert outcome(task_id) == "SUCCESS"
    shown = {"id": task_id, "task": ping.name, "state": "SUCCESS", "result": "hello", "error": None, "progress": None}
    assert client.get(f"/tasks/{task_id}").json() == shown
    assert client.delete(f"/tasks/{task_id}").status_code == 409


def test_a_repeated_submission_sends_one_task(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(tracking, "publish", lambda submission, task_id, **headers: sent.append(task_id))
    keys = [str(uuid.uuid4()), str(uuid.uuid4())]
    responses = [
        client.post("/tasks", json={"task": ping.name}, headers={"Idempotency-Key": key}) for key in [*keys, *keys]
    ]
    assert [response.status_code for response in responses] == [202] * 4
    assert [response.json()["id"] for response in responses] == sent * 2


def test_a_task_that_waits_is_pending_and_not_unknown(client: TestClient, pending: str) -> None:
    assert client.get(pending).json()["state"] == "PENDING"


@pytest.mark.parametrize("method", ["GET", "DELETE"])
@pytest.mark.parametrize(
    ("task_id", "status"), [(str(uuid.uuid4()), 404), ("1", 422), ("%00", 422), ("celery-task-meta-1", 422), ("é", 422)]
)
def test_an_id_that_nobody_was_given_is_a_problem(client: TestClient, method: str, task_id: str, status: int) -> None:
    for path in (f"/tasks/{task_id}", f"/tasks/{task_id}/events"):
        response = client.request(method, path)
        expected = 405 if method == "DELETE" and path.endswith("/events") else status
        assert response.status_code == expected
        assert response.headers["Content-Type"] == "application/problem+json"


def test_the_progress_of_a_task_is_shown(client: TestClient, pending: str) -> None:
    store(pending, {"done": 1, "of": 2}, "PROGRESS")
    assert client.get(pending).json()["progress"] == {"done": 1, "of": 2}


def test_the_error_of_a_task_is_shown(client: TestClient, pending: str) -> None:
    store(pending, ValueError("not today"), "FAILURE")
    assert client.get(pending).json()["error"] == {"type": "ValueError", "message": "not today"}


@pytest.mark.parametrize("result", [float("nan"), "\ud800", {"a": [1e300 * 10, None]}, [[[[[]]]]]])
def test_no_result_is_too_odd_to_be_shown(client: TestClient, pending: str, result: Any) -> None:
    store(pending, result, "SUCCESS")
    assert client.get(pending).status_code == 200


def test_a_result_that_has_expired_is_unknown(client: TestClient, pending: str) -> None:
    app.backend.forget(pending.rpartition("/")[2])
    assert client.get(pending).status_code == 404


def test_a_cancelled_task_may_be_cancelled_again(client: TestClient, pending: str) -> None:
    assert client.delete(pending).status_code == 202
    assert client.delete(pending).status_code == 202
    store(pending, None, "REVOKED")
    assert client.delete(pending).json()["state"] == "REVOKED"


def events(text: str) -> list[tuple[str, Any]]:
    """The server-sent events in a text."""
    found = [block.split("\n") for block in text.strip().split("\n\n")]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in found]


def test_a_task_is_followed_until_it_ends(client: TestClient, pending: str, monkeypatch: pytest.MonkeyPatch) -> None:
    task_id = uuid.UUID(pending.rpartition("/")[2])
    changes = iter(
        [
            tracking.TaskStatus(id=task_id, task=ping.name, state="PENDING"),
            tracking.TaskStatus(id=task_id, task=ping.name, state="PROGRESS", progress=1),
            tracking.TaskStatus(id=task_id, task=ping.name, state="PROGRESS", progress=1),
            tracking.TaskStatus(id=task_id, task=ping.name, state="SUCCESS", result="\n\ndata: x"),
        ]
    )
    monkeypatch.setattr(tracking, "status", lambda _: next(changes))
    monkeypatch.setattr(tasks, "INTERVAL", 0)
    response = client.get(f"{pending}/events")
    assert response.headers["Content-Type"].startswith("text/event-stream")
    seen = [(name, data["state"], data["progress"]) for name, data in events(response.text)]
    assert seen == [("status", "PENDING", None), ("status", "PROGRESS", 1), ("end", "SUCCESS", None)]


def test_a_stream_has_an_end_even_if_the_task_has_none(
    client: TestClient, pending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "INTERVAL", 0)
    monkeypatch.setattr(tasks, "LONGEST_STREAM", 0)
    assert [name for name, _ in events(client.get(f"{pending}/events").text)] == ["status"]


def test_there_are_not_endlessly_many_streams(
    client: TestClient, pending: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "LONGEST_STREAM", 0)
    monkeypatch.setattr(tasks._streams, "total_tokens", 1)
    assert client.get(f"{pending}/events").status_code == 200
    tasks._streams.acquire_on_behalf_of_nowait("somebody")
    assert client.get(f"{pending}/events").status_code == 503
    tasks._streams.release_on_behalf_of("somebody")
    assert client.get(f"{pending}/events").status_code == 200
