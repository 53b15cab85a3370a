"""Every job of the schedule can run: its task exists, takes its arguments, and its queue is declared."""

import inspect
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from queue import Queue
from typing import Any

import pytest
from celery import signals
from celery.schedules import crontab, maybe_schedule, solar

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.schedule import BEAT_SCHEDULE

every_job = pytest.mark.parametrize("job", BEAT_SCHEDULE.values(), ids=BEAT_SCHEDULE)


@pytest.fixture(autouse=True)
def tasks() -> None:
    """Register the tasks, as a worker does at its start."""
    app.loader.import_default_modules()


def test_beat_has_the_schedule() -> None:
    assert app.conf.beat_schedule == BEAT_SCHEDULE


@every_job
def test_a_job_s_task_takes_its_arguments(job: dict[str, Any]) -> None:
    signature = inspect.signature(app.tasks[job["task"]].run)
    signature.bind(*job.get("args", ()), **job.get("kwargs", {}))


@every_job
def test_a_job_names_the_queue_that_its_task_is_routed_to(job: dict[str, Any]) -> None:
    assert job["options"]["queue"] in set(QueueName)
    assert app.amqp.router.route({}, job["task"])["queue"].name == job["options"]["queue"]


@every_job
def test_a_job_that_no_worker_takes_expires(job: dict[str, Any]) -> None:
    assert job["options"]["expires"] > 0


SetClock = Callable[[datetime], None]
YEAR = datetime(2026, 1, 1, 12, tzinfo=app.timezone)
"""Where a year begins in which the tests look at each day or week, and so at every change of the clocks."""


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Sets the clock by which Celery decides what is due, and until when a message is good."""
    return lambda moment: monkeypatch.setattr(app, "now", lambda: moment)


def test_a_job_at_noon_is_due_at_noon_by_the_project_s_clock(set_clock: SetClock) -> None:
    at_noon = crontab(minute="0", hour="12", app=app)
    for day in range(365):
        noon, next_noon = YEAR + timedelta(days=day), YEAR + timedelta(days=day + 1)  # 23 to 25 hours later
        set_clock(next_noon - timedelta(seconds=1))
        assert not at_noon.is_due(noon)[0], next_noon
        set_clock(next_noon)
        assert at_noon.is_due(noon)[0], next_noon


def test_a_job_expires_before_it_is_due_again(set_clock: SetClock) -> None:
    by_the_clock = {key: job for key, job in BEAT_SCHEDULE.items() if not isinstance(job["schedule"], solar)}
    for key, job in by_the_clock.items():
        schedule: Any = maybe_schedule(job["schedule"])
        for week in range(52):
            moment = (YEAR + timedelta(weeks=week)).astimezone(UTC)
            set_clock(moment)
            due = moment + schedule.remaining_estimate(moment)
            set_clock(due)
            assert timedelta(seconds=job["options"]["expires"]) < schedule.remaining_estimate(due), (key, due)


@pytest.mark.integration
@pytest.mark.usefixtures("worker")
def test_a_job_that_waited_for_too_long_is_not_run(set_clock: SetClock) -> None:
    job = next(iter(BEAT_SCHEDULE.values()))
    dropped: Queue[tuple[str, bool]] = Queue()

    def note(request: Any, expired: bool, **_: Any) -> None:
        dropped.put((request.id, expired))

    signals.task_revoked.connect(note)
    try:
        set_clock(app.now() - timedelta(seconds=job["options"]["expires"] + 1))  # it is sent in the past
        sent = app.tasks[job["task"]].apply_async(job.get("args"), job.get("kwargs"), **job["options"])
        assert dropped.get(timeout=30) == (sent.id, True)
    finally:
        signals.task_revoked.disconnect(note)
