"""The retention of dead letters on a Valkey server."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from kombu import Connection
from redis import Redis
from structlog.testing import capture_logs

from {{ cookiecutter.project_slug }} import dead_letter_store as store
from {{ cookiecutter.project_slug }} import failed_tasks
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.settings import env

DAY = 86400
"""Seconds."""


@pytest.fixture(autouse=True)
def _limits(url: str, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Limit the retention on the server to three dead letters and two days."""
    limits = {"dead_letters_max_count": 3, "dead_letters_max_age_days": 2}
    monkeypatch.setattr(store, "env", env.model_copy(update=limits))
    with Connection(url, transport_options=app.conf.broker_transport_options) as connection:
        monkeypatch.setattr(app, "connection_for_write", lambda: connection)
        yield


def store_failures(*ids: str) -> list[Any]:
    """Store the dead letters of tasks; return the log lines."""
    with capture_logs() as logs:
        for task_id in ids:
            store.store_dead_letter(app.tasks["celery.backend_cleanup"], task_id, ValueError(), (), {})
    return logs


def list_ids() -> set[str]:
    """Return the ids of the dead letters."""
    return {dead_letter["id"] for dead_letter in store.list_dead_letters()}


def test_too_many_dead_letters_drop_the_oldest(redis: Redis) -> None:
    assert store_failures("1", "2", "3") == []
    (line,) = store_failures("4")

    assert (line["event"], line["number"]) == ("dead letters dropped", 1)
    assert list_ids() == {"2", "3", "4"}
    assert redis.get(store.DROPPED) == "1"
    assert redis.zcard(store.TIMES) == 3


def test_a_worker_that_starts_drops_old_dead_letters(redis: Redis) -> None:
    store_failures("1", "2")
    redis.zadd(store.TIMES, {"1": time.time() - 2 * DAY - 1, "2": time.time() - 2 * DAY + 60})
    store.apply_retention()
    assert list_ids() == {"2"}


def test_the_age_of_a_dead_letter_without_a_time_starts_now(redis: Redis) -> None:
    store_failures("1", "2")
    redis.delete(store.TIMES)

    assert store_failures("3") == []
    assert list_ids() == {"1", "2", "3"}
    assert redis.zcard(store.TIMES) == 3


def test_a_discarded_dead_letter_does_not_count(redis: Redis) -> None:
    store_failures("1", "2", "3")
    assert store.discard(["1"]) == 1
    assert store_failures("4") == []
    assert redis.zcard(store.TIMES) == 3


def test_a_replayed_task_that_fails_at_once_is_a_dead_letter_again(
    redis: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    store_failures("1", "2")
    monkeypatch.setattr(failed_tasks, "replay", lambda dead_letter: None)
    assert store.replay(["1", "3"]) == 1
    assert list_ids() == {"2"}
    monkeypatch.setattr(failed_tasks, "replay", lambda dead_letter: store_failures(dead_letter["id"]))
    assert store.replay(["2"]) == 1
    assert list_ids() == {"2"}
    assert redis.zcard(store.TIMES) == 1


def test_a_full_server_stores_a_dead_letter(redis: Redis) -> None:
    redis.config_set("maxmemory", 1)
    store_failures("1")
    assert list_ids() == {"1"}
