"""Dead letters on Redis, which has none of its own: a worker writes down what failed for good.

It does so before it acknowledges the task, so that a crash between the two writes it twice, under one key, and
loses none. A task that kills its process is among them after its retries, and one that takes one whole worker after
the other with it after `MAX_LOST_WORKERS` of them; see `redis_transport.py`.

`DEAD_LETTERS_MAX_AGE_DAYS` and `DEAD_LETTERS_MAX_COUNT` limit what is kept.
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
"""The hash, in the broker's database: a task's id to what it takes to send it again."""

TIMES = f"{KEY}:times"
"""A sorted set: a task's id to when its dead letter was stored."""

DROPPED = f"{KEY}:dropped"
"""How many dead letters the retention has dropped since Redis was empty."""

# KEYS: as above. ARGV: how long a dead letter is kept, in seconds, and how many are kept; then one to store, or none.
# Returns the number of those that were dropped. It begins with a command that a full Redis accepts.
STORE = """
redis.call('ZREM', KEYS[2], '')
if redis.call('HLEN', KEYS[1]) > redis.call('ZCARD', KEYS[2]) then  -- of a release without retention
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

log = structlog.get_logger(__name__)


@contextmanager
def broker() -> Iterator[Any]:
    """A channel of the broker; None where a test has another broker."""
    with app.connection_for_write() as connection:
        yield connection.default_channel if connection.transport.driver_type == "redis" else None


@signals.task_failure.connect
def keep_failed(sender: Task[Any, Any], task_id: str, exception: Any, args: Any, kwargs: Any, **_: Any) -> None:
    """Write down a task that failed for good."""
    if letter := failed_tasks.describe_failure(sender, task_id, exception, args, kwargs):
        _keep(letter)


@signals.task_unknown.connect
def keep_unknown(message: Message, name: str, id: str, exc: Any, **_: Any) -> None:
    """Write down a task that this worker does not know, as after a deployment in the wrong order."""
    args, kwargs, *_rest = message.payload
    queue = (message.delivery_info or {})["routing_key"]
    _keep(failed_tasks.build_dead_letter(id, name, queue, args, kwargs, f"unknown task: {exc!r}", {"task_id": id}))


@signals.worker_ready.connect
def drop_old(**_: Any) -> None:
    """Drop what the retention does not allow, also where no task fails."""
    _run()


def _keep(letter: dict[str, Any]) -> None:
    _run(letter["id"], dumps(letter))


def _run(*letter: str) -> None:
    with broker() as channel:
        if channel is None:
            return
        limits = env.dead_letters_max_age_days * 86400, env.dead_letters_max_count
        if dropped := channel.run(STORE, [KEY, TIMES, DROPPED], *limits, *letter):
            log.warning("dead letters dropped", number=dropped, max_age_days=limits[0] / 86400, max_count=limits[1])


def read() -> list[dict[str, Any]]:
    """All dead letters, the oldest first."""
    with broker() as channel:
        kept: list[Any] = channel.client.hvals(KEY) if channel else []
    return sorted((loads(letter) for letter in kept), key=lambda letter: str(letter["at"]))


def requeue(ids: Collection[str]) -> int:
    """Send these to their queues again; how many there were."""
    letters = [letter for letter in read() if letter["id"] in ids]
    for letter in letters:
        failed_tasks.replay(letter)
        purge([letter["id"]])
    return len(letters)


def purge(ids: Collection[str]) -> int:
    """Throw these away; how many there were."""
    with broker() as channel:
        if channel is None or not ids:
            return 0
        channel.client.zrem(TIMES, *ids)
        return int(channel.client.hdel(KEY, *ids))
