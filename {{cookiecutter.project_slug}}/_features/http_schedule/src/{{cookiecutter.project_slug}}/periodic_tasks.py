"""The schedule as data, for the HTTP API."""

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
from {{ cookiecutter.project_slug }}.schedule import BEAT_SCHEDULE
{% endif %}

CRON_FIELDS = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")


class PeriodicTask(BaseModel):
    """A task that beat sends by a schedule."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="The key of its entry; it stays when the schedule changes.")
    task: str = Field(description="The task's name.")
    queue: str | None = Field(description="The queue that it is sent to; null: by its route.")
    args: list[Any] = Field(description="The positional arguments.")
    kwargs: dict[str, Any] = Field(description="The keyword arguments.")
    schedule: str = Field(description="A cron expression, or an interval.", examples=["0 3 * * *", "every 600 s"])
    timezone: str = Field(description="The time zone of a cron expression.", examples=["UTC"])
    next_run_at: datetime | None = Field(
        description="When it is due next; null for an interval whose last run only beat knows."
    )
    expires: float | None = Field(description="Seconds after which it is dropped if no worker has received it.")


def periodic_tasks() -> list[PeriodicTask]:
{% if plan().features.database_schedule %}
    """Return the enabled periodic tasks of the database."""
    return [
        PeriodicTask(
            name=row.name,
            task=row.task,
            queue=row.queue,
            args=json.loads(row.args),
            kwargs=json.loads(row.kwargs),
            expires=row.expire_seconds,
            **timing(row.schedule, row.last_run_at or row.date_changed),
        )
        for row in Row.objects.filter(enabled=True).order_by("name")
    ]
{% elif not plan().features.database_schedule %}
    """Return the entries of `schedule.py`."""
    return [
        PeriodicTask(
            name=name,
            task=job["task"],
            queue=job["options"].get("queue"),
            args=job.get("args", []),
            kwargs=job.get("kwargs", {}),
            expires=job["options"].get("expires"),
            **timing(maybe_schedule(job["schedule"], app=app)),  # type: ignore[arg-type]  # the stubs expect a number
        )
        for name, job in BEAT_SCHEDULE.items()
    ]
{% endif %}


def timing(schedule: BaseSchedule, last_run_at: datetime | None = None) -> dict[str, Any]:
    """Return the fields `schedule`, `timezone` and `next_run_at` of a schedule.

    Args:
        schedule: The schedule.
        last_run_at: The last run; without it, the next run of an interval is unknown.
    """
    text = str(schedule).strip("<>")
    if isinstance(schedule, crontab):
        text = " ".join(str(getattr(schedule, f"_orig_{field}")) for field in CRON_FIELDS)
    elif not isinstance(schedule, solar) and hasattr(schedule, "seconds"):
        text = f"every {schedule.seconds:g} s"
    by_the_clock = isinstance(schedule, crontab | solar)
    since = last_run_at or (schedule.now() if by_the_clock else None)
    due = since and schedule.now() + schedule.remaining_estimate(since)
    return {
        "schedule": text,
        "timezone": str(schedule.tz),
        # To the second: both calls read the clock.
        "next_run_at": due and datetime.fromtimestamp(round(due.timestamp()), due.tzinfo),
    }
