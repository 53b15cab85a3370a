"""Metrics that only Redis has: messages by their state, the age of the oldest, dead letters, and what takes its memory."""

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
SCHEDULED = Gauge("celery_queue_scheduled_messages", "Messages that are not due yet.", ["queue"])
UNACKNOWLEDGED = Gauge("celery_unacknowledged_messages", "Messages that workers hold, of all queues.")
DEAD_LETTERS = Gauge("celery_dead_letters", "Dead letters.")
DEAD_LETTERS_MAX = Gauge("celery_dead_letters_max", "The number from which the oldest dead letters are dropped.")
DEAD_LETTERS_MAX.set(env.dead_letters_max_count)
DEAD_LETTERS_DROPPED = Gauge("celery_dead_letters_dropped", "Dead letters that were dropped: too many, or too old.")
MEMORY = Gauge("celery_redis_memory_ratio", "Share of maxmemory that each use takes; none without maxmemory.", ["use"])
MEMORY_BUDGET = Gauge("celery_redis_memory_budget_ratio", "Share of maxmemory that each use may take.", ["use"])
for use, budget in redis_memory.BUDGETS.items():
    MEMORY_BUDGET.labels(use).set(budget)


def update(connection: Any) -> None:
    """Query Redis."""
    if connection.transport.driver_type != "redis":  # the tests' broker
        return
    channel = connection.default_channel
    redis = channel.client
    for name in QueueName:
        message = redis.lindex(name.value, -1)  # the end that a worker takes from
        headers = json.loads(message).get("headers", {}) if message else {}
        OLDEST.labels(name.value).set(measure_queue_time(headers) or 0)  # messages of other programs have no time
        SCHEDULED.labels(name.value).set(channel.scheduled(name.value))
    UNACKNOWLEDGED.set(redis.hlen(channel.unacked_key))
    DEAD_LETTERS.set(redis.hlen(KEY))
    DEAD_LETTERS_DROPPED.set(redis.get(DROPPED) or 0)
    MEMORY.clear()
    with suppress(NoPermissionError):  # of INFO; the doctor reports it
        for use, share in redis_memory.shares(channel).items():
            MEMORY.labels(use).set(share)


def clear() -> None:
    """Export nothing until Redis answers again."""
    OLDEST.clear()
    SCHEDULED.clear()
    UNACKNOWLEDGED.set(float("nan"))
    DEAD_LETTERS.set(float("nan"))
    DEAD_LETTERS_DROPPED.set(float("nan"))
    MEMORY.clear()
