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

# Not registered before beat starts: workers import this module, too, and would export a last tick of 0.
LAST_TICK = Gauge("celery_beat_last_tick_timestamp_seconds", "When beat last checked its schedule.", registry=None)
ENTRY_DUE = Gauge(
    "celery_beat_entry_due_timestamp_seconds", "When the entry is due next.", ["entry", "task"], registry=None
)


@signals.beat_init.connect
def export_beat(sender: Service, **_: Any) -> None:
    """Export and serve the metrics of this beat."""
    REGISTRY.register(LAST_TICK)
    REGISTRY.register(ENTRY_DUE)
    observe(sender.scheduler)
    metrics.serve(env.metrics_address)


def observe(scheduler: Scheduler) -> None:
    """Record each tick, and when each entry of the schedule is due: by its last run, and again when beat sends it."""
    tick, apply_async = scheduler.tick, scheduler.apply_async
    entries = scheduler.app.conf.beat_schedule
    known = scheduler.schedule
    for name, entry in entries.items():
        found = known.get(name)
        if found and found.schedule and found.last_run_at:
            ENTRY_DUE.labels(name, entry["task"]).set(due(found.schedule, found.last_run_at))
{% if plan().features.redbeat %}
        else:  # RedBeat has read only the entries that are due now
            schedule: Any = maybe_schedule(entry["schedule"], app=scheduler.app)
            ENTRY_DUE.labels(name, entry["task"]).set(due(schedule, scheduler.app.now()))
{% endif %}

    def observed_tick(*args: Any, **kwargs: Any) -> float:
        interval = tick(*args, **kwargs)
        LAST_TICK.set_to_current_time()
{% if plan().features.database_schedule %}
        for name in entries.keys() - scheduler.schedule.keys():  # disabled in the admin: it is not overdue
            ENTRY_DUE.remove(name, entries[name]["task"])
{% endif %}
        return interval

    def observed_apply_async(entry: ScheduleEntry, *args: Any, **kwargs: Any) -> Any:
        result = apply_async(entry, *args, **kwargs)  # raises if it was not sent
        if entry.name in entries and entry.schedule:  # not celery.backend_cleanup
            ENTRY_DUE.labels(entry.name, entries[entry.name]["task"]).set(due(entry.schedule, entry.default_now()))
        return result

    scheduler.tick = observed_tick  # type: ignore[method-assign]
    scheduler.apply_async = observed_apply_async  # type: ignore[method-assign]


def due(schedule: BaseSchedule, last_run_at: datetime) -> float:
    """Return when an entry that ran last at this time is due, as a timestamp."""
    return time.time() + schedule.remaining_estimate(last_run_at).total_seconds()
