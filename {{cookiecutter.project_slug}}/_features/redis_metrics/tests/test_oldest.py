"""The age of the oldest message in a queue, and the numbers of other messages."""

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
    """A Redis with one message in its first queue, three dead letters and two messages that a worker holds."""

    def __init__(self, message: dict[str, Any]) -> None:
        self.message = json.dumps(message).encode()

    def lindex(self, queue: str, index: int) -> bytes | None:
        """Return the message that a worker takes next."""
        return self.message if (queue, index) == (QUEUE, -1) else None

    def hlen(self, key: str) -> int:
        """Return the number of dead letters or of unacknowledged messages."""
        return 2 if key == "unacked" else 3

    def get(self, key: str) -> bytes | None:
        """Return the number of dead letters that were dropped."""
        return b"4" if key.endswith(":dropped") else None

    def info(self, section: str) -> dict[str, int]:
        """Return the memory, of which nothing but unacknowledged messages and dead letters takes any."""
        return {"maxmemory": 100, "used_memory": 30}

    def memory_usage(self, key: str) -> int | None:
        """Return the memory of a key."""
        return {"unacked": 15, KEY: 5}.get(key)


class FakeChannel:
    """A channel with five scheduled messages in the first queue."""

    unacked_key = "unacked"

    def __init__(self, message: dict[str, Any]) -> None:
        self.client = FakeRedis(message)

    def ready_keys(self, queue: str) -> list[str]:
        """Return the keys of a queue."""
        return [queue]

    def add_prefix(self, key: str) -> str:
        """Return the key without a prefix."""
        return key

    def scheduled(self, queue: str) -> int:
        """Return the number of messages that are not due yet."""
        return 5 if queue == QUEUE else 0


class FakeConnection:
    """A connection to it."""

    def __init__(self, message: dict[str, Any]) -> None:
        self.transport = type("Transport", (), {"driver_type": "redis"})
        self.default_channel = FakeChannel(message)


def age(message: dict[str, Any]) -> float:
    """Return the exported age of this message in seconds."""
    broker_metrics.update(FakeConnection(message))
    shown = REGISTRY.get_sample_value("celery_queue_oldest_message_age_seconds", {"queue": QUEUE})
    assert shown is not None
    return shown


def test_the_age_is_the_time_since_the_message_was_sent() -> None:
    headers: dict[str, Any] = {"id": "1"}
    signals.add_headers(headers)
    sent = {"headers": headers}
    assert 0 <= age(sent) < 60
    sent["headers"]["sent_at"] -= 600
    assert 600 <= age(sent) < 660
    assert REGISTRY.get_sample_value("celery_dead_letters") == 3
    assert REGISTRY.get_sample_value("celery_dead_letters_dropped") == 4


def test_a_delayed_task_is_not_late_before_it_is_due() -> None:
    later = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    earlier = (datetime.now(UTC) - timedelta(minutes=5)).isoformat()
    assert age({"headers": {"sent_at": time.time() - 600, "eta": later}}) == 0
    assert 300 <= age({"headers": {"sent_at": time.time() - 600, "eta": earlier}}) < 360


def test_messages_are_counted_by_their_state() -> None:
    age({"headers": {}})
    assert REGISTRY.get_sample_value("celery_queue_scheduled_messages", {"queue": QUEUE}) == 5
    assert REGISTRY.get_sample_value("celery_unacknowledged_messages") == 2


def test_the_shares_of_the_memory_are_exported() -> None:
    age({"headers": {}})
    for use, share in {"queues": 0.15, "dead letters": 0.05, "other": 0.1}.items():
        assert REGISTRY.get_sample_value("celery_redis_memory_ratio", {"use": use}) == share
        assert REGISTRY.get_sample_value("celery_redis_memory_budget_ratio", {"use": use})
    broker_metrics.clear()
    assert REGISTRY.get_sample_value("celery_redis_memory_ratio", {"use": "other"}) is None


def test_a_user_who_may_not_ask_for_the_memory_exports_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeRedis, "info", Mock(side_effect=NoPermissionError))
    age({"headers": {}})
    assert REGISTRY.get_sample_value("celery_dead_letters") == 3
    assert REGISTRY.get_sample_value("celery_redis_memory_ratio", {"use": "other"}) is None


def test_a_message_of_another_program_has_no_age() -> None:
    assert age({"headers": {}}) < 1


def test_no_age_is_exported_while_redis_does_not_answer() -> None:
    age({"headers": {}})
    broker_metrics.clear()
    assert REGISTRY.get_sample_value("celery_queue_oldest_message_age_seconds", {"queue": QUEUE}) is None
    assert REGISTRY.get_sample_value("celery_queue_scheduled_messages", {"queue": QUEUE}) is None
