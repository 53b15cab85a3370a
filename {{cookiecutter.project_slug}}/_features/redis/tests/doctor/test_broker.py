"""What is said of a Redis that may lose tasks, and of what is in it."""

import json
import time
from datetime import UTC, datetime
from typing import Any

import pytest

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.doctor import broker

WELL = {"maxmemory_policy": "noeviction", "aof_enabled": 1, "aof_last_write_status": "ok"}


def message(**headers: Any) -> str:
    """A queued message, as kombu writes it."""
    return json.dumps({"body": "", "headers": headers})


def taken(since: float, **headers: Any) -> tuple[float, str]:
    """A message in a worker's hands."""
    return since, json.dumps([json.loads(message(**headers)), "", "default"])


def at(moment: float) -> str:
    """A Unix time as messages have it."""
    return datetime.fromtimestamp(moment, UTC).isoformat()


def test_a_redis_that_evicts_is_a_failure() -> None:
    assert broker.eviction(WELL).status == "ok"
    found = broker.eviction(WELL | {"maxmemory_policy": "allkeys-lru"})
    assert (found.status, found.what) == ("failure", "maxmemory-policy is allkeys-lru")


@pytest.mark.parametrize(
    ("fact", "what"),
    [
        ({"aof_enabled": 0}, "there is no append-only file"),
        ({"aof_last_write_status": "err"}, "its append-only file cannot be written"),
    ],
)
def test_a_redis_that_forgets_is_a_failure(fact: dict[str, Any], what: str) -> None:
    assert broker.persistence(WELL).status == "ok"
    found = broker.persistence(WELL | fact)
    assert (found.status, found.what) == ("failure", what)


def test_the_age_of_a_message_counts_from_when_it_was_due() -> None:
    now = time.time()
    assert broker.age(message(sent_at=now - 500, eta=None)) == pytest.approx(500, abs=5)
    assert broker.age(message(sent_at=now - 500, eta=at(now - 60))) == pytest.approx(60, abs=5)
    assert broker.age(message(eta=None)) is None
    assert broker.age("{}") is None  # not one of Celery's


def test_a_task_that_is_held_back_too_long_is_a_failure() -> None:
    timeout = app.conf.broker_transport_options["visibility_timeout"]
    longest = timeout - app.conf.task_time_limit
    now = time.time()
    assert broker.longest_eta([taken(now, eta=at(now + longest - 1)), taken(now, eta=None), (now, None)]).status == "ok"
    found = broker.longest_eta([taken(now, eta=at(now + longest + 1))])
    assert found.status == "failure"
    assert found.what.startswith(f"a worker holds a task back for {longest + 1} s")
