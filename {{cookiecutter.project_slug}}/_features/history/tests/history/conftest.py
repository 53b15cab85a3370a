"""Runs of the tests."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from {{ cookiecutter.project_slug }}.history import store
from {{ cookiecutter.project_slug }}.history.runs import RecordedRun

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)

RunFactory = Callable[..., RecordedRun]
"""Returns a run that succeeded, with the given fields. `ago` is the time since its end in minutes."""


@pytest.fixture
def make_run() -> RunFactory:
    """Return a factory of runs."""

    def make(ago: float = 0, **fields: Any) -> RecordedRun:
        ended = NOW - timedelta(minutes=ago)
        run: Any = {
            "task_id": "1",
            "task": "tasks.pay",
            "queue": "emails",
            "worker": "emails@host",
            "arguments": "{}",
            "published": None,
            "started": ended - timedelta(seconds=2),
            "ended": ended,
            "outcome": "succeeded",
            "retries": 0,
            "error": "",
            "trace_id": "",
            **fields,
        }
        return run  # type: ignore[no-any-return]

    return make


{% if plan().features.history_django %}
@pytest.fixture
def history(transactional_db: None, make_run: RunFactory) -> list[RecordedRun]:
{% elif plan().features.history_sqlalchemy %}
@pytest.fixture
def history(make_run: RunFactory) -> list[RecordedRun]:
{% endif %}
    """Store three runs of two tasks, the oldest first, and return them."""
    store.delete_runs(NOW + timedelta(days=1))
    runs = [
        make_run(ago=20, task_id="1", outcome="retried", error="ValueError()"),
        make_run(ago=10, task_id="1", outcome="failed", retries=1, trace_id="a" * 32),
        make_run(task_id="2", task="tasks.build", queue="reports"),
    ]
    store.insert_runs(runs[::-1])  # in another order than they ended
    return runs
