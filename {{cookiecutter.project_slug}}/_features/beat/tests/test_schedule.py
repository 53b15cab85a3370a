"""Each schedule entry is valid: its task exists and accepts its arguments, and its queue is declared."""

import inspect
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery.schedules import crontab, maybe_schedule, solar

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.schedule import BEAT_SCHEDULE

from .test_queues import get_default_queue, list_project_tasks

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
each_entry = pytest.mark.parametrize("entry", BEAT_SCHEDULE.values(), ids=BEAT_SCHEDULE)


def test_celery_uses_the_schedule() -> None:
    assert app.conf.beat_schedule == BEAT_SCHEDULE


@each_entry
def test_the_task_exists_and_accepts_the_arguments(entry: dict[str, Any]) -> None:
    assert entry["task"] in list_project_tasks(), f"schedule.py: the task {entry['task']} does not exist"
    signature = inspect.signature(app.tasks[entry["task"]].run)
    signature.bind(*entry.get("args", ()), **entry.get("kwargs", {}))


@each_entry
def test_an_entry_has_the_queue_of_its_task_and_an_expiry(entry: dict[str, Any]) -> None:
    queue = get_default_queue(entry["task"])
    assert entry["options"]["queue"] == queue, f"schedule.py: set 'queue': '{queue}' for {entry['task']}"
    assert entry["options"]["expires"] > 0


@each_entry
def test_the_readme_lists_each_entry(entry: dict[str, Any]) -> None:
    function, queue = entry["task"].rpartition(".")[2], QueueName(entry["options"]["queue"])
    row = rf"^\| `+ ?{function}\(.*\| `{queue}` \|$"
    missing = f"README.md, 'Periodic tasks': add the row | `{function}()` | every hour | `{queue}` | with its schedule"
    assert re.search(row, README, re.MULTILINE), missing


NextRun = Callable[[Any, datetime], datetime]


@pytest.fixture
def next_run(monkeypatch: pytest.MonkeyPatch) -> NextRun:
    """Return a function that computes the next run of a schedule after the last run."""

    def compute_next_run(schedule: Any, last_run: datetime) -> datetime:
        monkeypatch.setattr(app, "now", lambda: last_run)
        return last_run + timedelta(seconds=schedule.remaining_estimate(last_run).total_seconds())

    return compute_next_run


@each_entry
def test_the_schedule_in_the_readme_is_correct(entry: dict[str, Any], next_run: NextRun) -> None:
    function = entry["task"].rpartition(".")[2]
    (when,) = re.findall(rf"^\| `+ ?{function}\(.*\| (.*) \| .*$", README, re.MULTILINE)[:1] or [""]
    times = re.findall(r"\b\d\d:\d\d\b", when)
    if times and isinstance(entry["schedule"], crontab):
        due = next_run(entry["schedule"], datetime(2026, 1, 1, tzinfo=UTC)).astimezone(app.timezone)
        assert f"{due:%H:%M}" in times, f"README.md, 'Periodic tasks': {function} runs at {due:%H:%M}"
    interval = re.fullmatch(r"every (\d+ )?(second|minute|hour|day)s?", when)
    if interval and isinstance(entry["schedule"], timedelta):
        assert entry["schedule"] == timedelta(**{f"{interval[2]}s": int(interval[1] or 1)})


def test_an_entry_expires_before_its_next_run(next_run: NextRun) -> None:
    for key, entry in BEAT_SCHEDULE.items():
        if isinstance(entry["schedule"], solar):
            continue
        schedule = maybe_schedule(entry["schedule"])
        due = next_run(schedule, datetime(2026, 1, 1, tzinfo=UTC))
        for _ in range(50):
            previous, due = due, next_run(schedule, due)
            expired = previous + timedelta(seconds=entry["options"]["expires"])
            assert expired < due, f"schedule.py: {key} expires at {expired}, but is due at {due}"
