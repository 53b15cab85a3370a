"""What beat tells Prometheus, whichever its scheduler is."""

from datetime import timedelta

import pytest
from celery.beat import Scheduler, SchedulingError
from prometheus_client import REGISTRY

from {{ cookiecutter.project_slug }} import metrics
from {{ cookiecutter.project_slug }}.celery_app import app

JOB = next(iter(app.conf.beat_schedule))


def value(name: str, **labels: str) -> float:
    """What a metric says now."""
    return REGISTRY.get_sample_value(name, labels) or 0


@pytest.fixture
def scheduler() -> Scheduler:
    """A watched scheduler with this project's jobs, which sends nothing."""
    made = Scheduler(app, lazy=True)
    made.apply_async = lambda entry, *args, **kwargs: None  # type: ignore[method-assign]
    made.setup_schedule()
    metrics.watch_scheduler(made)
    return made


def test_a_tick_is_noted(scheduler: Scheduler) -> None:
    before = value("celery_beat_last_tick_timestamp_seconds")
    scheduler.tick()
    assert value("celery_beat_last_tick_timestamp_seconds") > before


def test_a_job_that_was_sent_is_due_later(scheduler: Scheduler) -> None:
    entry = scheduler.schedule[JOB]
    assert entry.last_run_at
    assert entry.schedule
    entry.last_run_at -= timedelta(days=400)
    metrics.JOB_DUE.labels(JOB).set(metrics.due(entry.schedule, entry.last_run_at))
    overdue = value("celery_beat_job_due_timestamp_seconds", entry=JOB)

    scheduler.apply_async(entry)

    assert value("celery_beat_job_due_timestamp_seconds", entry=JOB) > overdue


def test_a_job_that_could_not_be_sent_stays_due() -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise SchedulingError("the broker is away")

    failing = Scheduler(app, lazy=True)
    failing.setup_schedule()
    failing.apply_async = refuse  # type: ignore[method-assign]
    metrics.watch_scheduler(failing)
    metrics.JOB_DUE.labels(JOB).set(1)

    with pytest.raises(SchedulingError):
        failing.apply_async(failing.schedule[JOB])

    assert value("celery_beat_job_due_timestamp_seconds", entry=JOB) == 1
