"""Prometheus metrics of beat, served at `METRICS_ADDRESS`, for every scheduler."""

import time
from datetime import datetime
from typing import Any

from celery import signals
from celery.beat import ScheduleEntry, Scheduler, Service
{% if plan().features.redbeat %}
from celery.schedules import BaseSchedule, maybe_schedule
{% else %}
from celery.schedules import BaseSchedule
{% endif %}
from prometheus_client import REGISTRY, Gauge

from {{ cookiecutter.project_slug }} import metrics
from {{ cookiecutter.project_slug }}.settings import env

# Registered only when beat starts: workers import this module, too, and would export a last tick of 0.
LAST_TICK = Gauge("celery_beat_last_tick_timestamp_seconds", "Time of the last tick of beat.", registry=None)
ENTRY_DUE = Gauge(
    "celery_beat_entry_due_timestamp_seconds", "Time when the entry is next due.", ["entry", "task"], registry=None
)


@signals.beat_init.connect
def export_beat_metrics(sender: Service, **_: Any) -> None:
    """Export and serve the metrics of this process when beat starts."""
    REGISTRY.register(LAST_TICK)
    REGISTRY.register(ENTRY_DUE)
    instrument(sender.scheduler)
    metrics.serve(env.metrics_address)


def instrument(scheduler: Scheduler) -> None:
    """Record the ticks of a scheduler and the due times of its entries."""
    tick, apply_async = scheduler.tick, scheduler.apply_async
    entries = scheduler.app.conf.beat_schedule
    stored_entries = scheduler.schedule
    for name, entry in entries.items():
        stored = stored_entries.get(name)
        if stored and stored.schedule and stored.last_run_at:
            export_due(name, entry["task"], stored.schedule, stored.last_run_at)
{% if plan().features.redbeat %}
        else:  # RedBeat loads only the entries that are due now
            schedule: Any = maybe_schedule(entry["schedule"], app=scheduler.app)
            export_due(name, entry["task"], schedule, scheduler.app.now())
{% endif %}

    def observed_tick(*args: Any, **kwargs: Any) -> float:
        interval = tick(*args, **kwargs)
        LAST_TICK.set_to_current_time()
{% if plan().features.database_schedule %}
        for name in entries.keys() - scheduler.schedule.keys():  # disabled in the admin, so not overdue
            ENTRY_DUE.remove(name, entries[name]["task"])
{% endif %}
        return interval

    def observed_apply_async(entry: ScheduleEntry, *args: Any, **kwargs: Any) -> Any:
        result = apply_async(entry, *args, **kwargs)  # raises an error if the task was not published
        if entry.name and entry.name in entries and entry.schedule:  # not celery.backend_cleanup
            export_due(entry.name, entries[entry.name]["task"], entry.schedule, entry.default_now())
        return result

    scheduler.tick = observed_tick  # type: ignore[method-assign]
    scheduler.apply_async = observed_apply_async  # type: ignore[method-assign]


def export_due(name: str, task: str, schedule: BaseSchedule, last_run_at: datetime) -> None:
    """Export the time of the next run of an entry."""
    ENTRY_DUE.labels(name, task).set(time.time() + schedule.remaining_estimate(last_run_at).total_seconds())
