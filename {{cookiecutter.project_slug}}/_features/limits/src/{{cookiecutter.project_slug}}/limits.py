"""Limits on the runs of a task, and unique tasks, by key. The records are in Redis.

    @shared_task
    @limit_concurrency(3, key="{customer_id}")
    @limit_rate(100, per=60, key="{customer_id}")
    def synchronize(customer_id: int) -> None: ...

    @shared_task
    @unique(within=300, key="{report_id}")
    def generate(report_id: int) -> None: ...

A task that exceeds a limit is published again with a delay, so it waits as a scheduled task and uses no process. It
keeps its id, its retries, its expiry and its place in a chain, group or chord. Tasks of one limit run in no defined order.

`key` is a format string of the task's parameters, or a function that the task's arguments are passed to. Without it, the
limit applies to all runs of the task. Several tasks share a limit if they have the same `name`, key and numbers.

Eager tasks, direct calls, and tests with an in-memory Redis have no limits.
"""

import inspect
import re
import string
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, ParamSpec, TypeVar
from uuid import uuid4

import structlog
from celery import Task, signals
from celery.exceptions import Ignore
from kombu.exceptions import OperationalError
from kombu.utils.encoding import bytes_to_str

from {{ cookiecutter.project_slug }}.settings import env

PREFIX = "{{ cookiecutter.project_slug }}:limits:"
"""The prefix of the keys in Redis."""

REPUBLISHED = "republished"
"""The header of a task that was published again because of a limit."""

MIN_DELAY = 1.2
"""The minimum delay in seconds. A worker keeps a message that is due within a second in its memory."""

OUTAGE_DELAY = 10.0
"""The delay in seconds of a task whose limits cannot be checked."""

EXPIRY_MARGIN = 10
"""Seconds after the hard time limit until a slot expires."""

P = ParamSpec("P")
R = TypeVar("R")
Key = str | Callable[..., object]

log = structlog.get_logger(__name__)

# The first lines of each script. Each script begins with a write command that needs no memory, because a full Redis
# then also accepts its other commands.
NOW = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
"""

# Takes a slot: returns 0 and its expiry, or the seconds to wait. A redelivered task takes its slot again. KEYS: slots by
# expiry, the last turn. ARGV: task id, limit, seconds until the slot expires. Waiting tasks get turns, so that their
# checks do not become more frequent with their number. The age of the oldest slot is the estimate of the runtime.
TAKE_SLOT = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
if redis.call('ZSCORE', KEYS[1], ARGV[1]) or redis.call('ZCARD', KEYS[1]) < ARGV[2] + 0 then
  redis.call('ZADD', KEYS[1], now + ARGV[3], ARGV[1])
  redis.call('EXPIREAT', KEYS[1], math.ceil(redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2]))
  return {'0', redis.call('ZSCORE', KEYS[1], ARGV[1])}
end
local age = now + ARGV[3] - redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')[2]
local turn = math.max(now, redis.call('GET', KEYS[2]) or 0) + math.max(age / 5, 0.2) / ARGV[2]
turn = math.min(turn, now + 600)
redis.call('SET', KEYS[2], string.format('%.3f', turn), 'EX', 600)
return {string.format('%.3f', turn - now)}
"""

# Releases a slot unless another run of the task has taken it: a retry may start before the end of its first run. KEYS:
# slots. ARGV: task id, and the expiry of the slot or '' for any.
RELEASE_SLOT = """
if ARGV[2] == '' or redis.call('ZSCORE', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('ZREM', KEYS[1], ARGV[1]) end
"""

# Counts a start, or reserves the next possible start and returns the seconds to wait. KEYS: starts by time, reservations
# by time. ARGV: task id, a unique id of this run, limit, period. A reservation is void a minute after its time.
COUNT_START = """
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - ARGV[4])
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now - 60)
local limit = ARGV[3] + 0
local reserved = redis.call('ZSCORE', KEYS[2], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
local starts = redis.call('ZCARD', KEYS[1])
local due = reserved and reserved + 0 <= now and 0 or redis.call('ZCOUNT', KEYS[2], '-inf', now)
if starts + due < limit then
  redis.call('ZADD', KEYS[1], now, ARGV[2])
  redis.call('EXPIRE', KEYS[1], math.ceil(ARGV[4]))
  return '0'
end
local waiting = redis.call('ZCARD', KEYS[2])
local key, rank = KEYS[2], limit - 1
if waiting < limit then key, rank = KEYS[1], limit - 1 - waiting end
local start = math.max(now, redis.call('ZREVRANGE', key, rank, rank, 'WITHSCORES')[2] + ARGV[4])
redis.call('ZADD', KEYS[2], start, ARGV[1])
redis.call('EXPIREAT', KEYS[2], math.ceil(redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')[2]) + 60)
return string.format('%.3f', start - now)
"""

# Returns the id of the task that has the claim. KEYS: claim. ARGV: task id, seconds.
CLAIM = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', math.ceil(ARGV[2] * 1000)) then return ARGV[1] end
return redis.call('GET', KEYS[1])
"""

# KEYS: claim. ARGV: task id.
WITHDRAW = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""


class LimitExceeded(Ignore):
    """The exception that ends a run whose task waits for a limit."""


@dataclass(frozen=True)
class Rule:
    """The arguments of a decorator."""

    kind: ClassVar[str]
    key: Key
    name: str

    def make_key(self, task: Task[Any, Any], args: Any, kwargs: Any) -> str:
        """Return the prefix of the keys in Redis for these arguments of the task."""
        if isinstance(self.key, str):
            bound = inspect.signature(task.run).bind(*args, **kwargs)
            bound.apply_defaults()
            key: object = self.key.format(**bound.arguments)
        else:
            key = self.key(*args, **kwargs)
        return f"{PREFIX}{self.kind}:{self.name or task.name}:{key}"


@dataclass(frozen=True)
class Concurrency(Rule):
    """A limit of concurrent runs."""

    kind = "concurrency"
    limit: int
    expires: float | None

    def acquire(self, client: Any, key: str, task: Task[Any, Any], run: str) -> float:
        """Take a slot, and record it in the request. Return 0, or the seconds to wait."""
        request: Any = task.request
        expires = self.expires or float(request.time_limit or task.time_limit or 0) + EXPIRY_MARGIN
        wait, *slot = run_script(client, TAKE_SLOT, [key, f"{key}:turn"], request.id, self.limit, expires)
        request.slots.update((key, bytes_to_str(expiry)) for expiry in slot)
        return float(wait)

    def cancel(self, client: Any, key: str, task: Task[Any, Any], run: str) -> None:
        """Release the slot of a run that does not start."""
        request: Any = task.request
        run_script(client, RELEASE_SLOT, [key], request.id, request.slots.pop(key))


@dataclass(frozen=True)
class Rate(Rule):
    """A limit of starts in a period."""

    kind = "rate"
    limit: int
    per: float

    def make_key(self, task: Task[Any, Any], args: Any, kwargs: Any) -> str:
        """Return the prefix of the keys in Redis, which differs between several rates of a task."""
        return f"{super().make_key(task, args, kwargs)}:{self.limit}/{self.per:g}"

    def acquire(self, client: Any, key: str, task: Task[Any, Any], run: str) -> float:
        """Count a start. Return 0, or the seconds to wait."""
        keys = [key, f"{key}:reserved"]
        return float(run_script(client, COUNT_START, keys, task.request.id, run, self.limit, self.per))

    def cancel(self, client: Any, key: str, task: Task[Any, Any], run: str) -> None:
        """Do not count a run that does not start."""
        client.zrem(key, run)


@dataclass(frozen=True)
class Unique(Rule):
    """A period in which a task is published once."""

    kind = "unique"
    within: float


def limit_concurrency(
    limit: int, *, key: Key = "", name: str = "", expires: float | None = None
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Run at most `limit` tasks with the same key at the same time, in all workers together.

    Use this decorator below `@shared_task`. The slot of a lost worker is free after `expires` seconds, or as soon as its
    redelivered task has ended. `expires` must exceed the runtime. It defaults to the hard time limit and 10 s, which does
    not apply to threads and greenlets.
    """
    check(limit >= 1 and (expires is None or expires > 0), "limit_concurrency requires limit >= 1 and expires > 0")
    return mark(Concurrency(key, name, limit, expires))


def limit_rate(limit: int, *, per: float, key: Key = "", name: str = "") -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Start at most `limit` tasks with the same key in any period of `per` seconds, in all workers together.

    Use this decorator below `@shared_task`. A retry and a redelivery are starts, too. Redis stores each start for the period.
    """
    check(limit >= 1 and per > 0, "limit_rate requires limit >= 1 and per > 0")
    return mark(Rate(key, name, limit, per))


def unique(*, within: float, key: Key = "", name: str = "") -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Publish at most one task with the same key within `within` seconds.

    Use this decorator below `@shared_task`. `delay()` and `apply_async()` do not publish a duplicate, but return the
    result of the first task. `app.send_task()` publishes it.
    """
    check(within > 0, "unique requires within > 0")
    return mark(Unique(key, name, within))


def check(is_valid: bool, message: str) -> None:
    """Raise a ValueError with this message unless the arguments of a decorator are valid."""
    if not is_valid:
        raise ValueError(message)


def mark(rule: Rule) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return a decorator that adds a rule to the function of a task."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        if isinstance(rule.key, str):
            fields = [field for _, field, *_ in string.Formatter().parse(rule.key) if field is not None]
            names = {re.split(r"[.\[]", field)[0] for field in fields}
            if unknown := names - inspect.signature(function).parameters.keys():
                raise TypeError(f"{function.__qualname__} has no parameter {min(unknown)!r} of the key {rule.key!r}")
        function.rules = [*get_rules(function), rule]  # type: ignore[attr-defined]
        return function

    return decorate


def get_rules(function: object) -> tuple[Rule, ...]:
    """Return the rules of a task's function."""
    return tuple(getattr(function, "rules", ()))


def get_unique(task: object) -> Unique | None:
    """Return the rule of a unique task."""
    rules = get_rules(getattr(task, "__wrapped__", None))
    return next((rule for rule in rules if isinstance(rule, Unique)), None)


def get_limits(task: object) -> list[Concurrency | Rate]:
    """Return the limits of a task."""
    rules = get_rules(getattr(task, "__wrapped__", None))
    return [rule for rule in rules if isinstance(rule, Concurrency | Rate)]


@contextmanager
def connect(task: Task[Any, Any]) -> Iterator[Any]:
    """Yield a Redis client, or None if a test uses an in-memory server."""
{% if plan().features.redis_results %}
    backend: Any = task.app.backend
    yield None if env.celery_result_backend.startswith("cache+memory") else backend.client
{% elif plan().features.redis %}
    if env.celery_broker_url.startswith("memory"):
        yield None
        return
    pool: Any = task.app.pool
    with pool.acquire(block=True) as connection, connection.default_channel.conn_or_acquire() as client:
        yield client
{% endif %}


def run_script(client: Any, script: str, keys: list[str], *args: object) -> Any:
    """Run a script."""
    return client.eval(NOW + script, len(keys), *keys, *args)


def acquire(task: Task[Any, Any], args: Any, kwargs: Any) -> float:
    """Acquire all limits of a task, or none. Return 0, or the seconds to wait.

    If Redis is unreachable, the task waits: it never exceeds a limit.
    """
    limits = [(limit, limit.make_key(task, args, kwargs)) for limit in get_limits(task)]
    request, run = task.request, uuid4().hex
    if not limits or request.is_eager:
        return 0
    request.update(slots={})
    try:
        with connect(task) as client:
            if client is None:
                return 0
            for number, (limit, key) in enumerate(limits):
                if wait := limit.acquire(client, key, task, run):
                    for acquired, acquired_key in limits[:number]:
                        acquired.cancel(client, acquired_key, task, run)
                    delay = max(MIN_DELAY, wait)
                    log.info("task limited", kind=limit.kind, key=key, delay_seconds=delay)
                    return delay
    except Exception as error:  # of the Redis client, or of kombu
        log.warning("limits not checked, task delayed", error=repr(error))
        return OUTAGE_DELAY
    return 0


@signals.task_postrun.connect
def release_slots(task: Task[Any, Any], task_id: str, **_: Any) -> None:
    """Release the slots of a run that has ended."""
    release(task, task_id, task.request.get("slots", {}))


@signals.task_failure.connect
def release_slots_of_lost_process(sender: Task[Any, Any], task_id: str, args: Any, kwargs: Any, **_: Any) -> None:
    """Release the slots of a task whose process was killed, for example at its hard time limit."""
    if sender.request.id != task_id:  # in the main process of the worker
        limits = [limit for limit in get_limits(sender) if isinstance(limit, Concurrency)]
        release(sender, task_id, {limit.make_key(sender, args, kwargs): "" for limit in limits})


def release(task: Task[Any, Any], task_id: str, slots: dict[str, str]) -> None:
    """Release slots by key and expiry. If Redis is unreachable, they expire."""
    if not slots:
        return
    try:
        with connect(task) as client:
            for key, expiry in slots.items() if client is not None else ():
                run_script(client, RELEASE_SLOT, [key], task_id, expiry)
    except Exception as error:  # of the Redis client, or of kombu
        log.warning("slots not released", error=repr(error))


@contextmanager
def claim(task: Task[Any, Any], rule: Unique, args: Any, kwargs: Any, task_id: str) -> Iterator[str]:
    """Yield the id of the first task within the period. If the block raises an error, withdraw the claim of this task.

    Raises:
        OperationalError: Redis is unreachable. The task is not published.
    """
    key = rule.make_key(task, args or (), kwargs or {})
    try:
        with connect(task) as client:
            first = task_id if client is None else bytes_to_str(run_script(client, CLAIM, [key], task_id, rule.within))
    except Exception as error:  # of the Redis client, or of kombu
        raise OperationalError(f"{task.name}: Redis is unreachable, task not published: {error!r}") from error
    try:
        yield first
    except Exception:
        with connect(task) as client:
            if client is not None:
                run_script(client, WITHDRAW, [key], task_id)
        raise


def check_workflow(task: object, options: dict[str, Any], is_step: bool = False) -> None:
    """Reject a unique task in a workflow: the workflow would wait for the result of a duplicate forever.

    Raises:
        TypeError: The task is unique, and is a step of a workflow or has a callback.
    """
    parts = ("chain", "chord", "group_id", "link", "link_error")
    if get_unique(task) and (is_step or any(options.get(part) for part in parts)):
        name = getattr(task, "name", "")
        raise TypeError(f"{name} is unique: publish it from a task instead of a chain, group, chord or callback")
