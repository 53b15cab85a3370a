"""Every job of the schedule can run: its task exists, takes its arguments, and its queue is declared."""

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

from .test_queues import own_tasks, queue_of

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
every_job = pytest.mark.parametrize("job", BEAT_SCHEDULE.values(), ids=BEAT_SCHEDULE)


def test_beat_has_the_schedule() -> None:
    assert app.conf.beat_schedule == BEAT_SCHEDULE


@every_job
def test_a_job_has_a_task_that_takes_its_arguments(job: dict[str, Any]) -> None:
    assert job["task"] in own_tasks(), f"schedule.py: no module of tasks/ has a task {job['task']}"
    signature = inspect.signature(app.tasks[job["task"]].run)
    signature.bind(*job.get("args", ()), **job.get("kwargs", {}))


@every_job
def test_a_job_names_the_queue_of_its_task_and_an_expiry(job: dict[str, Any]) -> None:
    queue = queue_of(job["task"])
    assert job["options"]["queue"] == queue, f"schedule.py: write 'queue': '{queue}' for {job['task']}"
    assert job["options"]["expires"] > 0


@every_job
def test_the_readme_has_each_job(job: dict[str, Any]) -> None:
    function, queue = job["task"].rpartition(".")[2], QueueName(job["options"]["queue"])
    row = rf"^\| `+ ?{function}\(.*\| `{queue}` \|$"
    missing = f"README.md, 'Periodic tasks': copy a row of the table, and write {function} and {queue} instead"
    assert re.search(row, README, re.MULTILINE), missing


NextRun = Callable[[Any, datetime], datetime]


@pytest.fixture
def next_run(monkeypatch: pytest.MonkeyPatch) -> NextRun:
    """Returns when a schedule is due next after a time."""

    def after(schedule: Any, last_run: datetime) -> datetime:
        monkeypatch.setattr(app, "now", lambda: last_run)
        return last_run + timedelta(seconds=schedule.remaining_estimate(last_run).total_seconds())

    return after


@every_job
def test_the_readme_says_at_what_times_a_job_runs(job: dict[str, Any], next_run: NextRun) -> None:
    function = job["task"].rpartition(".")[2]
    (when,) = re.findall(rf"^\| `+ ?{function}\(.*\| (.*) \| .*$", README, re.MULTILINE)[:1]
    times = re.findall(r"\b\d\d:\d\d\b", when)
    if times and isinstance(job["schedule"], crontab):
        due = next_run(job["schedule"], datetime(2026, 1, 1, tzinfo=UTC)).astimezone(app.timezone)
        assert f"{due:%H:%M}" in times, f"README.md, 'Periodic tasks': {function} runs at {due:%H:%M}"
    interval = re.fullmatch(r"every (\d+ )?(second|minute|hour|day)s?", when)
    if interval and isinstance(job["schedule"], timedelta):
        assert job["schedule"] == timedelta(**{f"{interval[2]}s": int(interval[1] or 1)})


def test_a_job_expires_before_it_is_due_again(next_run: NextRun) -> None:
    for key, job in BEAT_SCHEDULE.items():
        if isinstance(job["schedule"], solar):
            continue
        schedule = maybe_schedule(job["schedule"])
        due = next_run(schedule, datetime(2026, 1, 1, tzinfo=UTC))
        for _ in range(50):
            previous, due = due, next_run(schedule, due)
            expired = previous + timedelta(seconds=job["options"]["expires"])
            assert expired < due, f"schedule.py: {key} expires at {expired}, but is due at {due}"
