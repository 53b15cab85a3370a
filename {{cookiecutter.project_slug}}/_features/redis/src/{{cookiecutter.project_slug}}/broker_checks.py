"""The doctor's checks of Redis. A check without the necessary permission is `unknown`."""

import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

from kombu import Connection
from redis.exceptions import NoPermissionError

from {{ cookiecutter.project_slug }} import redis_memory
from {{ cookiecutter.project_slug }}.commands import plural
from {{ cookiecutter.project_slug }}.dead_letter_store import KEY
from {{ cookiecutter.project_slug }}.findings import Note, Unknown
from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.redis_servers import find_problem
from {{ cookiecutter.project_slug }}.redis_transport import SCHEDULED, WAKE
from {{ cookiecutter.project_slug }}.tls_checks import check_tls, get_redis_socket

ADVICE = {
    "queues": "publish less, run more workers, or raise maxmemory",
    "dead letters": "replay or discard them, or lower DEAD_LETTERS_MAX_COUNT",
    "other": "lower result_expires, or use a separate Redis for results and other data",
}
"""The advice for each use of the memory that exceeds its budget."""


def list_checks(connection: Connection) -> dict[str, Callable[[], Iterable[str]]]:
    """Return the checks of the broker."""
    channel: Any = connection.default_channel
    every = {
        "replication": check_replication,
        "memory": check_memory,
        "eviction": check_eviction,
        "persistence": check_persistence,
        "permissions": check_permissions,
        "queues": check_queues,
        "TLS": lambda channel: check_tls(get_redis_socket(channel.client)),
    }
    return {f"broker: {name}": partial(run_if_permitted, check, channel) for name, check in every.items()}


def run_if_permitted(check: Callable[[Any], Iterable[str]], channel: Any) -> list[str]:
    """Run a check. If the user of the URL may not run its commands, return an unknown."""
    try:
        return list(check(channel))
    except NoPermissionError as error:
        return [Unknown(f"not checked: {error}. docs/operations.md lists the permissions of the doctor")]


def check_replication(channel: Any) -> Iterator[str]:
    """Report a Redis Cluster or a replica. A master overwrites a replica that accepts writes."""
    if problem := find_problem(channel.client):
        yield f"CELERY_BROKER_URL {problem}"
    elif channel.client.info("replication")["role"] != "master":
        yield "the server is a replica, which loses writes: set CELERY_BROKER_URL to its master"


def check_memory(channel: Any) -> Iterator[str]:
    """Report the uses of the memory that exceed their budget."""
    info = channel.client.info("memory")
    used, limit = info["used_memory"] / 2**20, info["maxmemory"] / 2**20
    if not limit:
        yield Unknown(f"{used:.0f} MiB used, without a limit: set maxmemory")
        return
    yield Note(f"{used:.0f} of {limit:.0f} MiB used ({100 * used / limit:.0f} %)")
    for use, share in redis_memory.measure_shares(channel).items():
        if share > (budget := redis_memory.BUDGETS[use]):
            yield f"{use}: {100 * share:.0f} % of maxmemory, more than {100 * budget:.0f} %: {ADVICE[use]}"


def check_eviction(channel: Any) -> Iterator[str]:
    """Report a policy that deletes keys of a full Redis."""
    policy = channel.client.info("memory")["maxmemory_policy"]
    if policy != "noeviction":
        yield f"maxmemory-policy is {policy}: a full Redis deletes tasks or results. Set it to noeviction"


def check_persistence(channel: Any) -> Iterator[str]:
    """Report settings and errors that make a killed Redis lose tasks."""
    info = channel.client.info("persistence")
    if not info["aof_enabled"]:
        yield "appendonly is off: a killed Redis loses tasks. Set it to yes"
    elif info["aof_last_write_status"] != "ok":
        yield "the append-only file cannot be written: check that the disk is not full"
    if info["rdb_last_bgsave_status"] != "ok":
        yield "the last snapshot failed: Redis may refuse writes. See its log"


def check_permissions(channel: Any) -> Iterator[str]:
    """Report commands, keys and channels that a worker uses and that the user of the URL may not use."""
    fanout, queue = channel.keyprefix_fanout.format(db=channel.connection.client.virtual_host), next(iter(QueueName))
    # Each command with a key or a channel.
    used = [
        *((command, queue.value) for command in ("LPUSH", "RPUSH", "RPOP", "LLEN", "LINDEX")),
        *((command, f"{queue.value}{SCHEDULED}") for command in ("ZADD", "ZREM", "ZRANGEBYSCORE", "ZCOUNT")),
        ("BZPOPMIN", f"{queue.value}{WAKE}"),
        *((command, channel.unacked_key) for command in ("HSET", "HGET", "HDEL", "HLEN")),
        *((command, channel.unacked_index_key) for command in ("ZADD", "ZREM", "ZSCORE")),
        *((command, KEY) for command in ("HSET", "HVALS", "HDEL", "HKEYS")),
        *((command, f"{fanout}celery.pidbox") for command in ("PUBLISH", "SUBSCRIBE")),
    ]
    extra = {"LPUSH": 1, "RPUSH": 1, "LINDEX": 1, "ZADD": 2, "ZREM": 1, "ZRANGEBYSCORE": 2, "ZCOUNT": 2, "BZPOPMIN": 1}
    extra |= {"HSET": 2, "HGET": 1, "HDEL": 1, "ZSCORE": 1, "PUBLISH": 1}
    script = "return redis.acl_check_cmd and (redis.acl_check_cmd(unpack(ARGV)) and 1 or 0) or -1"
    found = {
        f"{command} {key}": channel.client.eval(script, 0, command, key, *["1"] * extra.get(command, 0))
        for command, key in used
    }
    if -1 in found.values():
        yield Unknown("not checked: this requires Redis 7 or newer")
    if missing := [name for name, allowed in found.items() if allowed == 0]:
        yield f"a worker may not use {', '.join(missing)}: docs/operations.md lists its permissions"


def check_queues(channel: Any) -> Iterator[str]:
    """Report scheduled tasks that no worker has moved to their queue; note the number of messages in each state."""
    for name in QueueName:
        ready, scheduled = channel._size(name.value), channel.count_scheduled(name.value)
        yield Note(f"{name.value}: {ready} ready, {scheduled} scheduled")
        if overdue := channel.count_scheduled(name.value, due_before=time.time() - 60):
            yield f"{name.value}: {plural(overdue, 'scheduled task')} overdue: start a worker of this queue"
    yield Note(f"all queues: {channel.client.hlen(channel.unacked_key)} unacknowledged")
