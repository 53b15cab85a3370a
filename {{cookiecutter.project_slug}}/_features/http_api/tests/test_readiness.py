"""Readiness: all servers are reachable, and every queue has a worker."""

from unittest.mock import Mock

import pytest

from {{ cookiecutter.project_slug }} import readiness
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queues import QueueName


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clear the cached result."""
    monkeypatch.setattr(readiness, "_cached", None)


@pytest.mark.integration
@pytest.mark.usefixtures("worker")
def test_readiness_with_servers_and_workers() -> None:
    result = readiness.check_readiness()
    assert result.ready, result
    assert set(result.workers) == (set(QueueName) if app.conf.worker_enable_remote_control else set())


def test_a_queue_without_a_worker_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "find_workers", lambda: {"default": []})
    result = readiness.check_readiness()
    assert not result.ready
    assert result.servers["broker"]
    assert not result.workers["default"]


def test_an_unreachable_server_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise ConnectionError

    monkeypatch.setitem(readiness.CHECKS, "broker", fail)
    monkeypatch.setattr(readiness, "find_workers", lambda: {"default": ["a worker"]})
    result = readiness.check_readiness()
    assert not result.ready
    assert not result.servers["broker"]


def test_additional_servers_are_included(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readiness, "check_servers", lambda: ({"broker": True}, {"default": ["a worker"]}))
    assert readiness.check_readiness(database=True).ready
    assert not readiness.check_readiness(database=False).ready


def test_the_result_is_cached(monkeypatch: pytest.MonkeyPatch) -> None:
    find_workers = Mock(return_value={"default": []})
    monkeypatch.setattr(readiness, "find_workers", find_workers)
    readiness.check_readiness()
    readiness.check_readiness()
    find_workers.assert_called_once()


{% if plan().features.control_django %}
@pytest.mark.django_db
{% endif %}
def test_every_queue_is_listed() -> None:
    assert [queue.name for queue in readiness.list_queues()] == list(QueueName)
