"""Dead letters on Redis. Redis has no dead-letter queue, so a worker stores each task that failed permanently.

The worker stores the dead letter before it acknowledges the message. If it crashes in between, the dead letter is
stored twice under the same key, and none is lost. A task that kills its process becomes a dead letter after its
retries, and a task whose workers are lost becomes one after the limit in `base_task.py`; see `redis_transport.py`.

`DEAD_LETTERS_MAX_AGE_DAYS` and `DEAD_LETTERS_MAX_COUNT` limit the retention.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from celery import Task, signals
from kombu import Message
from kombu.utils.json import dumps, loads

from {{ cookiecutter.project_slug }} import failed_tasks
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.settings import env

KEY = "{{ cookiecutter.project_slug }}:dead_letters"
"""The hash of dead letters by task id, in the broker's database."""

TIMES = f"{KEY}:times"
"""The sorted set of task ids by the time when their dead letters were stored."""

DROPPED = f"{KEY}:dropped"
"""The counter of dead letters that the retention limits have dropped."""

# KEYS: the three above. ARGV: maximum age in seconds, maximum count, and optionally the id and JSON of a dead letter to
# store. Returns the number of dropped dead letters. A full Redis accepts the first command, and therefore the others.
STORE = """
redis.call('ZREM', KEYS[2], '')
if redis.call('HLEN', KEYS[1]) > redis.call('ZCARD', KEYS[2]) then  -- stored by a release without retention
  for _, id in ipairs(redis.call('HKEYS', KEYS[1])) do redis.call('ZADD', KEYS[2], 'NX', now, id) end
end
if ARGV[3] then
  redis.call('HSET', KEYS[1], ARGV[3], ARGV[4])
  redis.call('ZADD', KEYS[2], now, ARGV[3])
end
local old = redis.call('ZCOUNT', KEYS[2], '-inf', now - ARGV[1])
local excess = math.min(1000, math.max(old, redis.call('ZCARD', KEYS[2]) - ARGV[2]))
if excess <= 0 then return 0 end
for _, id in ipairs(redis.call('ZRANGE', KEYS[2], 0, excess - 1)) do redis.call('HDEL', KEYS[1], id) end
redis.call('ZREMRANGEBYRANK', KEYS[2], 0, excess - 1)
redis.call('INCRBY', KEYS[3], excess)
return excess
"""

# KEYS: the hash and the sorted set. ARGV: an id, and the JSON of its dead letter. Deletes the dead letter, unless the
# task has failed again, which replaced it.
REMOVE = """
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
return redis.call('HDEL', KEYS[1], ARGV[1])
"""

log = structlog.get_logger(__name__)


@contextmanager
def open_channel() -> Iterator[Any]:
    """Yield a channel of the broker, or None if a test uses another broker."""
    with app.connection_for_write() as connection:
        yield connection.default_channel if connection.transport.driver_type == "redis" else None


@signals.task_failure.connect
def store_dead_letter(sender: Task[Any, Any], task_id: str, exception: Any, args: Any, kwargs: Any, **_: Any) -> None:
    """Store the dead letter of a task that failed permanently."""
    if dead_letter := failed_tasks.describe_failure(sender, task_id, exception, args, kwargs):
        _store(dead_letter)


@signals.task_unknown.connect
def store_unknown_task(message: Message, name: str, id: str, exc: Any, **_: Any) -> None:
    """Store the dead letter of a task that this worker does not know, for example after a wrong deployment order."""
    args, kwargs, *_rest = message.payload
    queue = (message.delivery_info or {})["routing_key"]
    _store(failed_tasks.build_dead_letter(id, name, queue, args, kwargs, f"unknown task: {exc!r}", {"task_id": id}))


@signals.worker_ready.connect
def apply_retention(**_: Any) -> None:
    """Drop the dead letters beyond the retention limits, even if no task fails."""
    _run_script()


def _store(dead_letter: dict[str, Any]) -> None:
    _run_script(dead_letter["id"], dumps(dead_letter))


def _run_script(*dead_letter: str) -> None:
    with open_channel() as channel:
        if channel is None:
            return
        limits = env.dead_letters_max_age_days * 86400, env.dead_letters_max_count
        if dropped := channel.run(STORE, [KEY, TIMES, DROPPED], *limits, *dead_letter):
            log.warning("dead letters dropped", number=dropped, max_age_days=limits[0] / 86400, max_count=limits[1])


def list_dead_letters() -> list[dict[str, Any]]:
    """Return all dead letters, the oldest first."""
    with open_channel() as channel:
        stored: list[Any] = channel.client.hvals(KEY) if channel else []
    return sorted(map(loads, stored), key=lambda dead_letter: str(dead_letter["at"]))


def replay(ids: Collection[str]) -> int:
    """Publish the tasks with these ids to their queues again; return their number."""
    with open_channel() as channel:
        stored: list[Any] = channel.client.hmget(KEY, *ids) if channel and ids else []
        dead_letters = [(loads(text), text) for text in stored if text]
        for dead_letter, text in sorted(dead_letters, key=lambda pair: str(pair[0]["at"])):
            failed_tasks.replay(dead_letter)
            channel.run(REMOVE, [KEY, TIMES], dead_letter["id"], text)
    return len(dead_letters)


def discard(ids: Collection[str]) -> int:
    """Delete the dead letters with these ids; return the number deleted."""
    with open_channel() as channel:
        if channel is None or not ids:
            return 0
        channel.client.zrem(TIMES, *ids)
        return int(channel.client.hdel(KEY, *ids))
