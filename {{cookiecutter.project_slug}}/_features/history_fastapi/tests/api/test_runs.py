"""The run history in the API."""

import pytest
from fastapi.testclient import TestClient

from {{ cookiecutter.project_slug }}.history import store
from {{ cookiecutter.project_slug }}.history.runs import RecordedRun

from ..history.conftest import history, make_run

__all__ = ("history", "make_run")


def test_an_api_key_is_required(anonymous_client: TestClient) -> None:
    assert anonymous_client.get("/runs").status_code == 401


def test_runs_are_listed_and_filtered(client: TestClient, history: list[RecordedRun]) -> None:
    assert [run["task_id"] for run in client.get("/runs").json()] == ["2", "1", "1"]
    (run,) = client.get("/runs", params={"outcome": "retried", "since": "2026-01-31T00:00:00Z"}).json()
    assert (run["task"], run["ended"]) == ("tasks.pay", "2026-01-31T11:40:00Z")
    assert client.get("/runs", params={"outcome": "lucky"}).status_code == 422


def test_an_unavailable_database_is_503(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise ConnectionError("refused")

    monkeypatch.setattr(store, "list_runs", fail)
    assert client.get("/runs").status_code == 503
