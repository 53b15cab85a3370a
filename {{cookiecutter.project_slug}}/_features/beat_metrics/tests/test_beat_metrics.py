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
    """The metrics as beat exports them."""
    found = CollectorRegistry()
    found.register(beat_metrics.LAST_TICK)
    found.register(beat_metrics.ENTRY_DUE)
    return found


@pytest.fixture
def scheduler() -> Scheduler:
    """An observed scheduler with this project's schedule, which sends nothing."""
    made = Scheduler(app, lazy=True)
    made.apply_async = lambda entry, *args, **kwargs: None  # type: ignore[method-assign]
    made.setup_schedule()
    beat_metrics.observe(made)
    return made


def due(registry: CollectorRegistry) -> float | None:
    """Return the exported time when the entry is due."""
    labels = {"entry": NAME, "task": ENTRY["task"]}
    return registry.get_sample_value("celery_beat_entry_due_timestamp_seconds", labels)


def test_other_processes_export_no_metrics_of_beat() -> None:
    assert not [family.name for family in REGISTRY.collect() if family.name.startswith("celery_beat")]


def test_a_tick_is_recorded(scheduler: Scheduler, registry: CollectorRegistry) -> None:
    beat_metrics.LAST_TICK.set(0)
    scheduler.tick()
    assert registry.get_sample_value("celery_beat_last_tick_timestamp_seconds")


def test_an_entry_that_was_sent_is_due_later(scheduler: Scheduler, registry: CollectorRegistry) -> None:
    beat_metrics.ENTRY_DUE.labels(NAME, ENTRY["task"]).set(1)
    entry = scheduler.schedule[NAME]
    assert entry.last_run_at
    entry.last_run_at -= timedelta(days=400)
    beat_metrics.observe(scheduler)
    overdue = due(registry)
    assert overdue

    scheduler.apply_async(entry)

    assert (due(registry) or 0) > overdue


def test_an_entry_that_could_not_be_sent_stays_due(registry: CollectorRegistry) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise SchedulingError("the broker is unreachable")

    failing = Scheduler(app, lazy=True)
    failing.setup_schedule()
    failing.apply_async = refuse  # type: ignore[method-assign]
    beat_metrics.observe(failing)
    beat_metrics.ENTRY_DUE.labels(NAME, ENTRY["task"]).set(1)

    with pytest.raises(SchedulingError):
        failing.apply_async(failing.schedule[NAME])

    assert due(registry) == 1
{% if plan().features.redbeat %}


def test_an_entry_that_redbeat_has_not_read_is_due_by_its_schedule(
    registry: CollectorRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(app.conf.beat_schedule, NAME, {**ENTRY, "schedule": timedelta(minutes=10)})
    beat_metrics.observe(Scheduler(app, lazy=True))
    assert (due(registry) or 0) == pytest.approx(time.time() + 600, abs=60)
{% endif %}
{% if plan().features.database_schedule %}


def test_an_entry_that_is_disabled_is_not_due(scheduler: Scheduler, registry: CollectorRegistry) -> None:
    assert due(registry)
    del scheduler.schedule[NAME]
    scheduler.tick()
    scheduler.tick()
    assert due(registry) is None
{% endif %}
