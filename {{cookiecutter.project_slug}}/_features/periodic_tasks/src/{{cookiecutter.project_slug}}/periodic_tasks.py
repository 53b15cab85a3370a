"""The periodic tasks and their schedules, for the HTTP API{{ " and the command" if plan().features.control }}."""

{% if plan().features.database_schedule %}
import json
from datetime import datetime
from typing import Any

from celery.schedules import BaseSchedule, crontab, solar
from django_celery_beat.models import PeriodicTask as Row
from pydantic import BaseModel, ConfigDict, Field
{% elif not plan().features.database_schedule %}
from datetime import datetime
from typing import Any

from celery.schedules import BaseSchedule, crontab, maybe_schedule, solar
from pydantic import BaseModel, ConfigDict, Field

from {{ cookiecutter.project_slug }}.celery_app import app
{% if plan().features.control_schedule %}
from {{ cookiecutter.project_slug }}.control import store
from {{ cookiecutter.project_slug }}.control.pauses import by_name
{% endif %}
from {{ cookiecutter.project_slug }}.schedule import BEAT_SCHEDULE
{% endif %}

CRON_FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")


class PeriodicTask(BaseModel):
    """A periodic task."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="The name of the schedule entry. It does not change with the schedule.")
    task: str = Field(description="The name of the task.")
    queue: str | None = Field(description="The queue; null if the route of the task determines it.")
    args: list[Any] = Field(description="The positional arguments.")
    kwargs: dict[str, Any] = Field(description="The keyword arguments.")
    schedule: str = Field(description="A cron expression or an interval.", examples=["0 3 * * *", "every 600 s"])
    timezone: str = Field(description="The time zone of the cron expression.", examples=["UTC"])
    next_run_at: datetime | None = Field(
        description="The time of the next run; null for an interval whose last run is unknown."
    )
    expires: float | None = Field(description="Seconds after which the task is discarded if no worker has received it.")
{% if plan().features.control %}
    paused: bool = Field(description="Whether it is paused: beat does not send it.")
{% endif %}


def list_periodic_tasks() -> list[PeriodicTask]:
{% if plan().features.database_schedule %}
{% if plan().features.control %}
    """Return the periodic tasks in the database. Those that are not enabled are paused."""
{% else %}
    """Return the enabled periodic tasks in the database."""
{% endif %}
    return [
        PeriodicTask(
            name=row.name,
            task=row.task,
            queue=row.queue,
            args=json.loads(row.args),
            kwargs=json.loads(row.kwargs),
            expires=row.expire_seconds,
{% if plan().features.control %}
            paused=not row.enabled,
{% endif %}
            **describe_schedule(row.schedule, row.last_run_at or row.date_changed),
        )
{% if plan().features.control %}
        for row in Row.objects.order_by("name")
{% else %}
        for row in Row.objects.filter(enabled=True).order_by("name")
{% endif %}
    ]
{% elif not plan().features.database_schedule %}
    """Return the entries of `schedule.py`."""
{% if plan().features.control_schedule %}
    paused = by_name(store.list_pauses(), "periodic task")
{% endif %}
    return [
        PeriodicTask(
            name=name,
            task=entry["task"],
            queue=entry["options"].get("queue"),
            args=entry.get("args", []),
            kwargs=entry.get("kwargs", {}),
            expires=entry["options"].get("expires"),
{% if plan().features.control_schedule %}
            paused=name in paused,
{% endif %}
            # The stubs expect a number.
            **describe_schedule(maybe_schedule(entry["schedule"], app=app)),  # type: ignore[arg-type]
        )
        for name, entry in BEAT_SCHEDULE.items()
    ]
{% endif %}


def describe_schedule(schedule: BaseSchedule, last_run_at: datetime | None = None) -> dict[str, Any]:
    """Return the fields `schedule`, `timezone` and `next_run_at` for a schedule.

    Args:
        schedule: The schedule.
        last_run_at: The time of the last run. Without it, the next run of an interval is unknown.
    """
    text = str(schedule).strip("<>")
    if isinstance(schedule, crontab):
        text = " ".join(str(getattr(schedule, f"_orig_{field}")) for field in CRON_FIELDS)
    elif not isinstance(schedule, solar) and hasattr(schedule, "seconds"):
        text = f"every {schedule.seconds:g} s"
    has_fixed_times = isinstance(schedule, crontab | solar)
    since = last_run_at or (schedule.now() if has_fixed_times else None)
    due = since and schedule.now() + schedule.remaining_estimate(since)
    return {
        "schedule": text,
        "timezone": str(schedule.tz),
        # Rounded to the second, since both calls above read the clock.
        "next_run_at": due and datetime.fromtimestamp(round(due.timestamp()), due.tzinfo),
    }
