"""The endpoints of dead letters, on a store that is a list."""

from typing import Any

import pytest
from fastapi.testclient import TestClient
from structlog.testing import capture_logs

from {{ cookiecutter.project_slug }} import http_dead_letters

from ..fake_dead_letters import replace_store

LETTER = {"id": "1", "queue": "q", "task": "t", "reason": "E()", "at": "2026-01-01T00:00:00+00:00"}


@pytest.fixture(autouse=True)
def letters(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Two dead letters in the store."""
    monkeypatch.setattr(http_dead_letters, "read_lengths", dict)
    details = {"args": [], "kwargs": {}, "traceback": "Traceback ...", "attempts": 4}
    return replace_store(monkeypatch, LETTER | details, LETTER | details | {"id": "2", "queue": "other"})


def test_dead_letters_are_listed_and_shown(client: TestClient) -> None:
    page = client.get("/dead-letters", params={"queue": "q", "since": "2026-01-01", "limit": 1}).json()
    assert (page["total"], [item["id"] for item in page["items"]]) == (1, ["1"])
    assert "traceback" not in page["items"][0]
    assert client.get("/dead-letters/2").json()["traceback"] == "Traceback ..."
    assert client.get("/dead-letters/3").json()["detail"] == "No dead letter has the id 3."


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "offset=-1", "since=yesterday", "tasks=t"])
def test_an_invalid_query_is_refused(client: TestClient, query: str) -> None:
    response = client.get(f"/dead-letters?{query}")
    assert response.status_code == 422
    assert response.headers["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize("action", ["replay", "discard"])
def test_dead_letters_are_processed(
    client: TestClient, letters: list[dict[str, Any]], action: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.post(f"/dead-letters/{action}", json={"ids": ["1", "3"]}).status_code == 404
    assert client.post(f"/dead-letters/{action}", json={}).status_code == 422
    assert len(letters) == 2
    with capture_logs() as lines:
        response = client.post(f"/dead-letters/{action}", json={"filter": {"queue": "q"}})
    assert response.json() == {"number": 1, "remaining": 0}
    assert [letter["id"] for letter in letters] == ["2"]
    assert [line["actor"] for line in lines if line["event"] == f"dead letters {action}ed"] == ["default"]


def test_an_unreachable_broker_returns_503(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise ConnectionError

    monkeypatch.setattr(http_dead_letters, "read_lengths", refuse)
    response = client.get("/dead-letters")
    assert (response.status_code, response.headers["Retry-After"]) == (503, "5")
