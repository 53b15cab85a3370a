"""The broker: a Redis that keeps what it is given, and the tasks in it."""

import json
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from redis import Redis

from {{ cookiecutter.project_slug }}.base_task import waited
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.dead_letter_store import KEY
from {{ cookiecutter.project_slug }}.doctor import visibility
from {{ cookiecutter.project_slug }}.doctor.checks import backlog, clock, dead_letters, skew_of
from {{ cookiecutter.project_slug }}.doctor.findings import Finding, failure, ok
from {{ cookiecutter.project_slug }}.queues import QueueName

MOST = 10_000
"""Tasks in workers' hands that are looked at."""


def examine() -> Iterator[Finding]:
    """Ask the server for its settings, its clock and its queues."""
    with app.connection_for_read() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0)  # or it would pause between two attempts
        channel: Any = connection.default_channel
        redis: Redis = channel.client
        facts: dict[str, Any] = redis.info()
        yield ok("broker", f"Redis {facts['redis_version']} answers")
        yield eviction(facts)
        yield persistence(facts)
        asked = time.time()
        seconds, microseconds = redis.time()
        yield clock("Redis", skew_of(seconds + microseconds / 1e6, asked, time.time()))
        for queue in QueueName:
            oldest: Any = redis.lindex(queue.value, -1)  # new ones are put in front
            yield backlog(queue.value, redis.llen(queue.value), age(oldest) if oldest else None)
        yield dead_letters(redis.hlen(KEY))
        yield visibility.room(app)
        taken: Any = redis.zrange(channel.unacked_index_key, 0, MOST - 1, withscores=True)
        messages: Any = redis.hmget(channel.unacked_key, [tag for tag, _ in taken]) if taken else []
        yield longest_eta(zip((since for _, since in taken), messages, strict=True))


def eviction(facts: Mapping[str, Any]) -> Finding:
    """What a full Redis does."""
    policy = facts["maxmemory_policy"]
    if policy != "noeviction":
        advice = "CONFIG SET maxmemory-policy noeviction, and in redis.conf: it may throw queued tasks away"
        return failure("eviction", f"maxmemory-policy is {policy}", advice)
    return ok("eviction", "a full Redis refuses new tasks and throws none away (noeviction)")


def persistence(facts: Mapping[str, Any]) -> Finding:
    """What a Redis that is killed has on its disk."""
    if not facts["aof_enabled"]:
        advice = "CONFIG SET appendonly yes, and in redis.conf: else a killed Redis loses tasks"
        return failure("persistence", "there is no append-only file", advice)
    if facts["aof_last_write_status"] != "ok":
        return failure("persistence", "its append-only file cannot be written", "is the disk full? Its log says why")
    return ok("persistence", "what is queued is on disk (append-only file)")


def age(message: str | bytes) -> float | None:
    """Seconds that a queued message has waited; None if it does not say."""
    return waited(json.loads(message).get("headers", {}))


def longest_eta(taken: Iterable[tuple[float, str | bytes | None]]) -> Finding:
    """Whether workers hold back a task for longer than Redis leaves it to them.

    Args:
        taken: for each task in a worker's hands, when it took it, as a Unix time, and its message.
    """
    conf = app.conf
    longest = 0.0
    for since, message in taken:
        if message is None:  # acknowledged meanwhile
            continue
        if eta := json.loads(message)[0].get("headers", {}).get("eta"):
            longest = max(longest, datetime.fromisoformat(eta).timestamp() - since)
    timeout = conf.broker_transport_options["visibility_timeout"]
    if longest + conf.task_time_limit > timeout:
        what = f"a worker holds a task back for {longest:.0f} s, and Redis hands it out again after {timeout} s"
        return failure("longest eta", what, "send it later, by a beat job, or raise visibility_timeout")
    return ok("longest eta", f"a task is held back for {longest:.0f} s at most")
