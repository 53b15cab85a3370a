"""Liveness and readiness, which accept any host name."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client

from {{ cookiecutter.project_slug }} import readiness
from {{ cookiecutter.project_slug }}.queues import QueueName

WORKERS = {queue.value: ["a worker"] for queue in QueueName}


@pytest.fixture
def healthy_servers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Replace the checks: all servers are reachable, and every queue has a worker."""
    monkeypatch.setattr(readiness, "_cached", None)
    monkeypatch.setattr(readiness, "CHECKS", {"broker": lambda: None})
    monkeypatch.setattr(readiness, "find_workers", lambda: WORKERS)
    yield
    readiness._cached = None


def test_liveness_calls_no_server(client: Client) -> None:
    response = client.get("/health/live", headers={"Host": "10.0.0.1:8000"})
    assert (response.status_code, response.json()) == (200, {"live": True})


@pytest.mark.django_db
@pytest.mark.usefixtures("healthy_servers")
def test_readiness_with_servers_and_workers(client: Client) -> None:
    response = client.get("/health/ready", headers={"Host": "10.0.0.1:8000"})
    assert (response.status_code, response.json()["ready"]) == (200, True)
    assert response.json()["servers"]["database"]


@pytest.mark.django_db
@pytest.mark.usefixtures("healthy_servers")
def test_readiness_returns_503_without_the_database(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "is_usable", lambda: False)
    response = client.get("/health/ready")
    assert (response.status_code, response.json()["servers"]["database"]) == (503, False)


@pytest.mark.django_db
@pytest.mark.usefixtures("healthy_servers")
def test_readiness_returns_503_without_workers(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "find_workers", lambda: {queue: [] for queue in WORKERS})
    assert client.get("/health/ready").status_code == 503


def test_other_paths_require_an_allowed_host_name(client: Client) -> None:
    assert client.get("/accounts/login/", headers={"Host": "10.0.0.1:8000"}).status_code == 400
