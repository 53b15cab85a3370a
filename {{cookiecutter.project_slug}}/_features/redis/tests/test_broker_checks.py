"""The doctor's checks of Redis, on a real server."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from kombu import Connection
from redis import Redis

from {{ cookiecutter.project_slug }} import broker_checks, redis_memory
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.dead_letter_store import KEY
from {{ cookiecutter.project_slug }}.findings import Note, Unknown

QUEUE = "{{ plan().default_queue.name }}"
MIB = 2**20


class FakeChannel:
    """A channel of a server with these facts in its `INFO`."""

    def __init__(self, **facts: Any) -> None:
        self.facts = {"role": "master", "maxmemory_policy": "noeviction", "aof_enabled": 1} | facts
        self.facts = {"aof_last_write_status": "ok", "rdb_last_bgsave_status": "ok"} | self.facts
        self.client = self

    def info(self, section: str) -> dict[str, Any]:
        """Return the facts."""
        return self.facts

    def eval(self, *_: Any) -> int:
        """Run a script."""
        return 0


@pytest.fixture
def connection(url: str, redis: Redis) -> Iterator[Connection]:
    """Yield a connection with the options of a worker."""
    with Connection(url, transport_options=app.conf.broker_transport_options) as connected:
        yield connected


@pytest.fixture
def restricted(url: str, redis: Redis) -> Iterator[Connection]:
    """Yield a connection of a user without dangerous commands and without channels."""
    rights = ["+@all", "-@dangerous"]
    redis.acl_setuser("jobs", enabled=True, passwords="+word", keys=["*"], categories=rights, reset=True)
    user_url = url.replace("://", "://jobs:word@")
    with Connection(user_url, transport_options=app.conf.broker_transport_options) as connected:
        yield connected


def run_check(connection: Connection, name: str) -> list[str]:
    """Return the findings of a check."""
    return list(broker_checks.list_checks(connection)[f"broker: {name}"]())


def select_problems(found: list[str]) -> list[str]:
    """Return the findings that are problems."""
    return [each for each in found if not isinstance(each, (Note, Unknown))]


@pytest.mark.parametrize(
    ("check", "fact", "problem"),
    [
        (broker_checks.check_replication, {"role": "slave"}, "is a replica"),
        (broker_checks.check_eviction, {"maxmemory_policy": "allkeys-lru"}, "maxmemory-policy is allkeys-lru"),
        (broker_checks.check_persistence, {"aof_enabled": 0}, "appendonly is off"),
        (broker_checks.check_persistence, {"aof_last_write_status": "err"}, "cannot be written"),
        (broker_checks.check_persistence, {"rdb_last_bgsave_status": "err"}, "last snapshot failed"),
    ],
)
def test_a_redis_that_loses_tasks_is_reported(check: Any, fact: dict[str, Any], problem: str) -> None:
    assert list(check(FakeChannel())) == []
    (found,) = check(FakeChannel(**fact))
    assert problem in found


def test_memory_without_a_limit_is_unknown(connection: Connection) -> None:
    (found,) = run_check(connection, "memory")
    assert isinstance(found, Unknown)


@pytest.mark.parametrize("use", redis_memory.BUDGETS)
def test_a_use_of_the_memory_beyond_its_budget_is_reported(use: str, connection: Connection, redis: Redis) -> None:
    redis.config_set("maxmemory", 64 * MIB)
    assert select_problems(run_check(connection, "memory")) == []
    for number in range(40):
        load = "x" * MIB
        if use == "queues":
            redis.lpush(QUEUE, load)
        elif use == "dead letters":
            redis.hset(KEY, str(number), load)
        else:
            redis.set(f"celery-task-meta-{number}", load)

    (problem,) = select_problems(run_check(connection, "memory"))
    assert problem.startswith(f"{use}: ")
    assert broker_checks.ADVICE[use] in problem


def test_messages_are_counted_by_their_state(connection: Connection, redis: Redis) -> None:
    redis.lpush(QUEUE, "1", "2")
    redis.hset("unacked", "tag", "3")
    redis.zadd(f"{QUEUE}.scheduled", {"4": 4e9})
    found = run_check(connection, "queues")
    assert f"{QUEUE}: 2 ready, 1 scheduled" in found
    assert "all queues: 1 unacknowledged" in found
    assert select_problems(found) == []


def test_overdue_tasks_are_reported(connection: Connection, redis: Redis) -> None:
    redis.zadd(f"{QUEUE}.scheduled", {json.dumps({}): 1})
    (problem,) = select_problems(run_check(connection, "queues"))
    assert problem.startswith(f"{QUEUE}: 1 scheduled task overdue")


def test_a_check_without_permission_is_unknown_and_names_the_command(restricted: Connection) -> None:
    for name in ("replication", "memory", "eviction", "persistence"):
        (found,) = run_check(restricted, name)
        assert isinstance(found, Unknown), name
        assert "'info'" in found
    assert select_problems(run_check(restricted, "queues")) == []


def test_permissions_that_a_worker_lacks_are_reported(restricted: Connection, connection: Connection) -> None:
    assert run_check(connection, "permissions") == []
    (found,) = run_check(restricted, "permissions")
    assert found.startswith("a worker may not use PUBLISH /0.celery.pidbox, SUBSCRIBE /0.celery.pidbox: ")
