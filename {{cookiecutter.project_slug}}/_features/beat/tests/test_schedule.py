"""Every job of the schedule can run: its task exists, takes its arguments, and its queue is declared."""

import inspect
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from celery.schedules import maybe_schedule, solar

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.schedule import BEAT_SCHEDULE

from .test_queues import own_tasks, queue_of

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
    readme = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
    function, queue = job["task"].rpartition(".")[2], QueueName(job["options"]["queue"])
    row = rf"^\| `+ ?{function}\(.*\| `{queue}` \|$"
    missing = f"README.md, 'Periodic jobs': copy a row of the table, and write {function} and {queue} instead"
    assert re.search(row, readme, re.MULTILINE), missing


def test_a_job_expires_before_it_is_due_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def next_run(schedule: Any, after: datetime) -> datetime:
        monkeypatch.setattr(app, "now", lambda: after)
        return after + timedelta(seconds=schedule.remaining_estimate(after).total_seconds())

    for key, job in BEAT_SCHEDULE.items():
        if isinstance(job["schedule"], solar):
            continue
        schedule = maybe_schedule(job["schedule"])
        due = next_run(schedule, datetime(2026, 1, 1, tzinfo=UTC))
        for _ in range(50):
            previous, due = due, next_run(schedule, due)
            expired = previous + timedelta(seconds=job["options"]["expires"])
            assert expired < due, f"schedule.py: {key} expires at {expired}, but is due at {due}"
