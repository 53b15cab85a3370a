"""The additional metrics of Redis."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from prometheus_client import REGISTRY
from redis.exceptions import NoPermissionError

from {{ cookiecutter.project_slug }} import broker_metrics, signals
from {{ cookiecutter.project_slug }}.dead_letter_store import KEY

QUEUE = "{{ plan().default_queue.name }}"


class FakeRedis:
    """A client of Redis with one message in the default queue, three dead letters and two unacknowledged messages."""

    def __init__(self, message: dict[str, Any]) -> None:
        self.message = json.dumps(message).encode()

    def lindex(self, queue: str, index: int) -> bytes | None:
        """Return the next message that a worker receives."""
        return self.message if (queue, index) == (QUEUE, -1) else None

    def hlen(self, key: str) -> int:
        """Return the number of dead letters or of unacknowledged messages."""
        return 2 if key == "unacked" else 3

    def get(self, key: str) -> bytes | None:
        """Return the number of dropped dead letters."""
        return b"4" if key.endswith(":dropped") else None

    def info(self, section: str) -> dict[str, int]:
        """Return the memory in use: 15 of queues, 5 of dead letters and 10 of others."""
        return {"maxmemory": 100, "used_memory": 30}

    def memory_usage(self, key: str) -> int | None:
        """Return the memory of a key, or None if it does not exist."""
        return {"unacked": 15, KEY: 5}.get(key)


class FakeChannel:
    """A channel with five scheduled messages in the default queue."""

    unacked_key = "unacked"

    def __init__(self, message: dict[str, Any]) -> None:
        self.client = FakeRedis(message)

    def list_ready_keys(self, queue: str) -> list[str]:
        """Return the keys of a queue."""
        return [queue]

    def add_prefix(self, key: str) -> str:
        """Return the key without a prefix."""
        return key

    def count_scheduled(self, queue: str) -> int:
        """Return the number of messages that are not due."""
        return 5 if queue == QUEUE else 0


class FakeConnection:
    """A connection to this Redis."""

    def __init__(self, message: dict[str, Any]) -> None:
        self.transport = type("Transport", (), {"driver_type": "redis"})
        self.default_channel = FakeChannel(message)


def read_age(message: dict[str, Any]) -> float:
    """Update the metrics, and return the exported age of the oldest message in seconds."""
    broker_metrics.update(FakeConnection(message))
    age = REGISTRY.get_sample_value("celery_queue_oldest_message_age_seconds", {"queue": QUEUE})
    assert age is not None
    return age


def test_the_age_is_the_time_since_publish() -> None:
    headers: dict[str, Any] = {"id": "1"}
    signals.add_headers(headers)
    sent = {"headers": headers}
    assert 0 <= read_age(sent) < 60
    sent["headers"]["sent_at"] -= 600
    assert 600 <= read_age(sent) < 660
    assert REGISTRY.get_sample_value("celery_dead_letters") == 3
    assert REGISTRY.get_sample_value("celery_dead_letters_dropped") == 4


def test_the_age_of_a_delayed_task_starts_at_its_eta() -> None:
    later = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    earlier = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    assert read_age({"headers": {"sent_at": time.time() - 600, "eta": later}}) == 0
    assert 300 <= read_age({"headers": {"sent_at": time.time() - 600, "eta": earlier}}) < 360


def test_messages_are_counted_by_state() -> None:
    read_age({"headers": {}})
    assert REGISTRY.get_sample_value("celery_queue_scheduled_messages", {"queue": QUEUE}) == 5
    assert REGISTRY.get_sample_value("celery_unacknowledged_messages") == 2


def test_memory_usage_and_budgets_are_exported() -> None:
    read_age({"headers": {}})
    for use, share in {"queues": 0.15, "dead letters": 0.05, "other": 0.1}.items():
        assert REGISTRY.get_sample_value("celery_redis_memory_ratio", {"use": use}) == share
        assert REGISTRY.get_sample_value("celery_redis_memory_budget_ratio", {"use": use})
    broker_metrics.clear()
    assert REGISTRY.get_sample_value("celery_redis_memory_ratio", {"use": "other"}) is None


def test_other_metrics_are_exported_without_the_permission_for_info(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeRedis, "info", Mock(side_effect=NoPermissionError))
    read_age({"headers": {}})
    assert REGISTRY.get_sample_value("celery_dead_letters") == 3
    assert REGISTRY.get_sample_value("celery_redis_memory_ratio", {"use": "other"}) is None


def test_the_age_of_a_message_without_a_timestamp_is_zero() -> None:
    assert read_age({"headers": {}}) < 1


def test_no_values_are_exported_while_redis_is_unreachable() -> None:
    read_age({"headers": {}})
    broker_metrics.clear()
    assert REGISTRY.get_sample_value("celery_queue_oldest_message_age_seconds", {"queue": QUEUE}) is None
    assert REGISTRY.get_sample_value("celery_queue_scheduled_messages", {"queue": QUEUE}) is None
