"""Brings the schedule in the database in line with the code, and leaves alone what people changed in the admin.

Each field of a row follows the code for as long as nobody has changed it. So a job whose hour was changed in the admin
keeps that hour, and still gets the arguments that a new release wants.

| in the code | in the database | what happens |
|---|---|---|
| new | | its row is added |
| new, with a key of its own | a row of the same name | the row is taken for the job's, as people left it |
| changed | the row | what nobody has changed in the admin follows the code |
| another key, the same task and arguments | the row | it is taken for the same job |
| | somebody deleted the row | it stays deleted |
| gone | the row, as the code had it | it is disabled |
| gone | the row, changed by somebody | it stays as it is, and a line says so |
"""

import json
import math
from datetime import timedelta
from typing import Any

from celery import Celery
from celery.schedules import BaseSchedule, crontab, schedule, solar
from django.db import transaction
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule

from {{ cookiecutter.project_slug }}.periodic.models import SeededJob

KINDS = {"crontab": CrontabSchedule, "interval": IntervalSchedule, "solar": SolarSchedule, "clocked": ClockedSchedule}
"""The kinds of schedule. A row has one, in the field of that name."""

OPTIONS = ("queue", "exchange", "routing_key", "priority")
"""What a job's options may say beside `expires`."""

UNITS = {name: timedelta(**{name: 1}) for name in ("days", "hours", "minutes", "seconds", "microseconds")}
"""The units of an interval."""

CLEANUP = {"task": "celery.backend_cleanup", "schedule": crontab(minute="0", hour="4"), "options": {"expires": 43200}}
"""What Celery's own schedulers add where the result backend does not forget results by itself."""

Schedule = list[Any]
"""A kind of schedule, and the fields of its row by their names, all of them texts."""

Definition = dict[str, Any]
"""The fields of a job's row by their names, but its `schedule` is one `Schedule`."""


def sync(app: Celery, dry_run: bool = False) -> list[str]:
    """Bring the database in line with `beat_schedule`, and say in a line each what changed.

    Args:
        app: the application, with the schedule.
        dry_run: only say it.

    Raises:
        ValueError: a job has something that the database cannot keep.
    """
    jobs: dict[str, dict[str, Any]] = dict(app.conf.beat_schedule)
    if app.conf.result_backend and not app.backend.supports_autoexpire:
        jobs.setdefault("celery.backend_cleanup", CLEANUP)
    with transaction.atomic():
        changes = _sync({key: definition_of(key, job) for key, job in jobs.items()})
        transaction.set_rollback(dry_run)
    return changes


def _sync(jobs: dict[str, Definition]) -> list[str]:
    seeded = {job.key: job for job in SeededJob.objects.select_related("row")}
    changes = []
    for key, definition in jobs.items():
        job = seeded.pop(key, None) or _renamed(definition, seeded, jobs)
        if job is None:
            changes.append(_add(key, definition))
        else:
            changes += _follow(job, key, definition)
    for job in seeded.values():
        changes += _retire(job)
    return changes


def _renamed(definition: Definition, seeded: dict[str, SeededJob], jobs: dict[str, Definition]) -> SeededJob | None:
    """The one job that the code has no more under its key, and that does the same."""
    same = [
        job
        for key, job in seeded.items()
        if key not in jobs and all(job.definition[field] == definition[field] for field in ("task", "args", "kwargs"))
    ]
    return seeded.pop(same[0].key) if len(same) == 1 else None


def _add(key: str, definition: Definition) -> str:
    row = PeriodicTask.objects.filter(name=key).first()
    change = f"{key}: taken over, as it is"
    if row is None:
        row = PeriodicTask(name=key)
        write(row, definition)
        change = f"{key}: added"
    SeededJob.objects.create(key=key, definition=definition, row=row)
    return change


def _follow(job: SeededJob, key: str, definition: Definition) -> list[str]:
    changes = []
    if job.row is not None:
        present = read(job.row)
        # What the row has as the code had it last follows the code.
        new = {name: value for name, value in definition.items() if present[name] == job.definition[name] != value}
        if new:
            write(job.row, new)
            changes = [f"{key}: {', '.join(sorted(new))} changed"]
    if (job.key, job.definition) != (key, definition):
        job.key, job.definition = key, definition
        job.save()
    return changes


def _retire(job: SeededJob) -> list[str]:
    if job.row is None:
        job.delete()
        return []
    present = read(job.row)
    if present != job.definition:
        return [f"{job.key}: no longer in the code, but changed in the admin, so it stays"]
    if not present["enabled"]:
        return []
    write(job.row, {"enabled": False})
    job.definition["enabled"] = False
    job.save()
    return [f"{job.key}: disabled, no longer in the code"]


def definition_of(key: str, job: dict[str, Any]) -> Definition:
    """What a job's row is to have.

    Raises:
        ValueError: the database cannot keep something of it.
    """
    options = dict(job.get("options", {}))
    expires = options.pop("expires", None)
    unknown = sorted({*job} - {"task", "schedule", "args", "kwargs", "options"}) + sorted({*options} - {*OPTIONS})
    if unknown:
        raise ValueError(f"{key}: the schedule in the database has no place for {', '.join(unknown)}")
    return {
        "name": key,
        "task": job["task"],
        "args": list(job.get("args", ())),
        "kwargs": dict(job.get("kwargs", {})),
        "schedule": schedule_of(key, job["schedule"]),
        "expire_seconds": None if expires is None else math.ceil(expires),  # it keeps whole seconds
        "enabled": True,
        **{option: options.get(option) for option in OPTIONS},
    }


def schedule_of(key: str, when: BaseSchedule | timedelta) -> Schedule:
    """A schedule of the code as `Schedule`.

    Raises:
        ValueError: the database knows no such kind.
    """
    when = when if isinstance(when, BaseSchedule) else schedule(when)
    if isinstance(when, crontab):
        fields = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
        values = {field: str(getattr(when, f"_orig_{field}")) for field in fields}
        return ["crontab", {**values, "timezone": str(when.app.conf.timezone)}]
    if isinstance(when, solar):
        return ["solar", {"event": when.event, "latitude": f"{when.lat:.6f}", "longitude": f"{when.lon:.6f}"}]
    if type(when) is schedule:
        interval: timedelta = when.run_every  # type: ignore[attr-defined]  # which the stubs do not know
        period, unit = next((name, unit) for name, unit in UNITS.items() if not interval % unit)
        return ["interval", {"every": str(interval // unit), "period": period}]
    raise ValueError(f"{key}: the schedule in the database knows no {type(when).__name__}")


def read(row: PeriodicTask) -> Definition:
    """What a row has."""
    definition = {name: getattr(row, name) for name in ("name", "task", "expire_seconds", "enabled", *OPTIONS)}
    definition |= {name: json.loads(getattr(row, name) or "null") for name in ("args", "kwargs")}
    for kind in KINDS:
        if when := getattr(row, kind):
            fields = [field.name for field in when._meta.fields if not field.primary_key]
            definition["schedule"] = [kind, {field: str(getattr(when, field)) for field in fields}]
    return definition


def write(row: PeriodicTask, definition: Definition) -> None:
    """Set some of a row's fields, and let a running beat know."""
    for name, value in definition.items():
        if name in ("args", "kwargs"):
            setattr(row, name, json.dumps(value))
        elif name == "schedule":
            kind, values = value
            # Schedules are rows of their own, which several jobs may share: another is taken, none is changed.
            model = KINDS[kind]
            when = model.objects.filter(**values).first() or model.objects.create(**values)
            for other in KINDS:
                setattr(row, other, when if other == kind else None)
        else:
            setattr(row, name, value)
    row.save()
