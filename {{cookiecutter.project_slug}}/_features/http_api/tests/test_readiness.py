"""Ready: the servers answer, and every queue has a worker."""

from unittest.mock import Mock

import pytest

from {{ cookiecutter.project_slug }} import readiness
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queues import QueueName


@pytest.fixture(autouse=True)
def afresh(monkeypatch: pytest.MonkeyPatch) -> None:
    """No result is there to be reused."""
    monkeypatch.setattr(readiness, "_last", None)


@pytest.mark.integration
@pytest.mark.usefixtures("worker")
def test_with_servers_and_workers_it_is_ready() -> None:
    found = readiness.readiness()
    assert found.ready, found
    assert set(found.workers) == (set(QueueName) if app.conf.worker_enable_remote_control else set())


def test_a_queue_without_a_worker_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "find_workers", lambda: {"default": []})
    found = readiness.readiness()
    assert not found.ready
    assert found.servers["broker"]
    assert not found.workers["default"]


def test_a_server_that_is_away_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise ConnectionError

    monkeypatch.setitem(readiness.CHECKS, "broker", away)
    monkeypatch.setattr(readiness, "find_workers", lambda: {"default": ["somebody"]})
    found = readiness.readiness()
    assert not found.ready
    assert not found.servers["broker"]


def test_the_framework_s_own_server_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "check", lambda: ({"broker": True}, {"default": ["somebody"]}))
    assert readiness.readiness(database=True).ready
    assert not readiness.readiness(database=False).ready


def test_the_servers_are_not_called_at_each_request(monkeypatch: pytest.MonkeyPatch) -> None:
    find_workers = Mock(return_value={"default": []})
    monkeypatch.setattr(readiness, "find_workers", find_workers)
    readiness.readiness()
    readiness.readiness()
    find_workers.assert_called_once()


def test_the_length_of_every_queue_is_known() -> None:
    assert [queue.name for queue in readiness.queues()] == list(QueueName)
