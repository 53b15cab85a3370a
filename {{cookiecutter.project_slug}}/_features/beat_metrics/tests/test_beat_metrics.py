"""The metrics of beat, for every scheduler."""

{% if plan().features.redbeat %}
import time
{% endif %}
from datetime import timedelta

import pytest
from celery.beat import Scheduler, SchedulingError
from prometheus_client import REGISTRY, CollectorRegistry

from {{ cookiecutter.project_slug }} import beat_metrics
from {{ cookiecutter.project_slug }}.celery_app import app

NAME, ENTRY = next(iter(app.conf.beat_schedule.items()))


@pytest.fixture
def registry() -> CollectorRegistry:
    """Return a registry with the metrics of beat."""
    beat_registry = CollectorRegistry()
    beat_registry.register(beat_metrics.LAST_TICK)
    beat_registry.register(beat_metrics.ENTRY_DUE)
    return beat_registry


@pytest.fixture
def scheduler() -> Scheduler:
    """Return an instrumented scheduler with the schedule of the project, which sends no tasks."""
    lazy_scheduler = Scheduler(app, lazy=True)
    lazy_scheduler.apply_async = lambda entry, *args, **kwargs: None  # type: ignore[method-assign]
    lazy_scheduler.setup_schedule()
    beat_metrics.instrument(lazy_scheduler)
    return lazy_scheduler


def read_due(registry: CollectorRegistry) -> float | None:
    """Return the exported time when the entry is due, or None."""
    labels = {"entry": NAME, "task": ENTRY["task"]}
    return registry.get_sample_value("celery_beat_entry_due_timestamp_seconds", labels)


def test_processes_other_than_beat_do_not_export_its_metrics() -> None:
    assert not [family.name for family in REGISTRY.collect() if family.name.startswith("celery_beat")]


def test_a_tick_is_recorded(scheduler: Scheduler, registry: CollectorRegistry) -> None:
    beat_metrics.LAST_TICK.set(0)
    scheduler.tick()
    assert registry.get_sample_value("celery_beat_last_tick_timestamp_seconds")


def test_sending_an_entry_updates_its_due_time(scheduler: Scheduler, registry: CollectorRegistry) -> None:
    beat_metrics.ENTRY_DUE.labels(NAME, ENTRY["task"]).set(1)
    entry = scheduler.schedule[NAME]
    assert entry.last_run_at
    entry.last_run_at -= timedelta(days=400)
    beat_metrics.instrument(scheduler)
    overdue = read_due(registry)
    assert overdue

    scheduler.apply_async(entry)

    assert (read_due(registry) or 0) > overdue


def test_an_entry_that_could_not_be_sent_stays_overdue(registry: CollectorRegistry) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise SchedulingError("the broker is unreachable")

    failing = Scheduler(app, lazy=True)
    failing.setup_schedule()
    failing.apply_async = refuse  # type: ignore[method-assign]
    beat_metrics.instrument(failing)
    beat_metrics.ENTRY_DUE.labels(NAME, ENTRY["task"]).set(1)

    with pytest.raises(SchedulingError):
        failing.apply_async(failing.schedule[NAME])

    assert read_due(registry) == 1
{% if plan().features.redbeat %}


def test_an_entry_that_redbeat_has_not_loaded_has_a_due_time(
    registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.conf.beat_schedule, NAME, {**ENTRY, "schedule": timedelta(minutes=10)})
    beat_metrics.instrument(Scheduler(app, lazy=True))
    assert (read_due(registry) or 0) == pytest.approx(time.time() + 600, abs=60)
{% endif %}
{% if plan().features.database_schedule %}


def test_a_disabled_entry_has_no_due_time(scheduler: Scheduler, registry: CollectorRegistry) -> None:
    assert read_due(registry)
    del scheduler.schedule[NAME]
    scheduler.tick()
    scheduler.tick()
    assert read_due(registry) is None
{% endif %}
