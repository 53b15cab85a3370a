"""Probes are answered whatever they call this host; liveness asks nobody, readiness everybody."""

from collections.abc import Iterator

import pytest
from django.db import connection
from django.test import Client

from {{ cookiecutter.project_slug }} import readiness
from {{ cookiecutter.project_slug }}.queues import QueueName

EVERY_QUEUE = {queue.value: ["a worker"] for queue in QueueName}


@pytest.fixture
def well(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every server answers, and every queue has a worker."""
    monkeypatch.setattr(readiness, "_last", None)
    monkeypatch.setattr(readiness, "CHECKS", {"broker": lambda: None})
    monkeypatch.setattr(readiness, "find_workers", lambda: EVERY_QUEUE)
    yield
    readiness._last = None


def test_a_process_that_answers_is_live_without_its_servers(client: Client) -> None:
    response = client.get("/health/live", headers={"Host": "10.0.0.1:8000"})
    assert (response.status_code, response.json()) == (200, {"live": True})


@pytest.mark.django_db
@pytest.mark.usefixtures("well")
def test_with_all_that_it_needs_it_is_ready(client: Client) -> None:
    response = client.get("/health/ready", headers={"Host": "10.0.0.1:8000"})
    assert (response.status_code, response.json()["ready"]) == (200, True)
    assert response.json()["servers"]["database"]


@pytest.mark.django_db
@pytest.mark.usefixtures("well")
def test_without_its_database_it_is_not(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "is_usable", lambda: False)
    response = client.get("/health/ready")
    assert (response.status_code, response.json()["servers"]["database"]) == (503, False)


@pytest.mark.django_db
@pytest.mark.usefixtures("well")
def test_without_a_worker_for_a_queue_it_is_not(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "find_workers", lambda: {queue: [] for queue in EVERY_QUEUE})
    assert client.get("/health/ready").status_code == 503


def test_other_addresses_still_want_a_host_name_that_is_ours(client: Client) -> None:
    assert client.get("/accounts/login/", headers={"Host": "10.0.0.1:8000"}).status_code == 400
