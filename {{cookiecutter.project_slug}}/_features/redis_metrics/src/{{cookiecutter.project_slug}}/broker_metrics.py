"""Additional metrics of Redis: messages by state, the age of the oldest message, dead letters, and memory usage."""

import json
from contextlib import suppress
from typing import Any

from prometheus_client import Gauge
from redis.exceptions import NoPermissionError

from {{ cookiecutter.project_slug }} import redis_memory
from {{ cookiecutter.project_slug }}.base_task import measure_queue_time
from {{ cookiecutter.project_slug }}.dead_letter_store import DROPPED, KEY
from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.settings import env

INTERVAL = 10
"""Seconds between two queries."""

OLDEST = Gauge("celery_queue_oldest_message_age_seconds", "Time since the oldest ready message was due.", ["queue"])
SCHEDULED = Gauge("celery_queue_scheduled_messages", "Messages with an ETA or a countdown that are not due.", ["queue"])
UNACKNOWLEDGED = Gauge("celery_unacknowledged_messages", "Unacknowledged messages of all queues.")
DEAD_LETTERS = Gauge("celery_dead_letters", "Number of dead letters.")
DEAD_LETTERS_MAX = Gauge("celery_dead_letters_max", "Maximum number of dead letters.")
DEAD_LETTERS_MAX.set(env.dead_letters_max_count)
DEAD_LETTERS_DROPPED = Gauge("celery_dead_letters_dropped", "Dead letters dropped by their maximum number or age.")
MEMORY = Gauge("celery_redis_memory_ratio", "Memory of each use as a fraction of maxmemory, if it is set.", ["use"])
MEMORY_BUDGET = Gauge("celery_redis_memory_budget_ratio", "Budget of each use as a fraction of maxmemory.", ["use"])
for use, budget in redis_memory.BUDGETS.items():
    MEMORY_BUDGET.labels(use).set(budget)


def update(connection: Any) -> None:
    """Query Redis and set the metrics."""
    if connection.transport.driver_type != "redis":  # the broker of the tests
        return
    channel = connection.default_channel
    redis = channel.client
    for name in QueueName:
        message = redis.lindex(name.value, -1)  # the next message that a worker receives
        headers = json.loads(message).get("headers", {}) if message else {}
        OLDEST.labels(name.value).set(measure_queue_time(headers) or 0)  # messages of other programs have no timestamp
        SCHEDULED.labels(name.value).set(channel.count_scheduled(name.value))
    UNACKNOWLEDGED.set(redis.hlen(channel.unacked_key))
    DEAD_LETTERS.set(redis.hlen(KEY))
    DEAD_LETTERS_DROPPED.set(redis.get(DROPPED) or 0)
    MEMORY.clear()
    with suppress(NoPermissionError):  # INFO is not permitted; the doctor reports this
        for use, share in redis_memory.measure_shares(channel).items():
            MEMORY.labels(use).set(share)


def clear() -> None:
    """Export no values until the next successful query."""
    OLDEST.clear()
    SCHEDULED.clear()
    UNACKNOWLEDGED.set(float("nan"))
    DEAD_LETTERS.set(float("nan"))
    DEAD_LETTERS_DROPPED.set(float("nan"))
    MEMORY.clear()
