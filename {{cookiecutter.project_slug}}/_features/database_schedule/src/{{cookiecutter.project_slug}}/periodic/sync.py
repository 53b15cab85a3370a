"""Synchronization of the schedule in the database with the code, which keeps edits in the admin.

Each field of a row follows the code until it is edited in the admin. For example, a periodic task whose hour was edited
keeps this hour, and still receives new arguments from the code.

| in the code | in the database | action |
|---|---|---|
| new | | the row is added |
| new | a row with the same name | the row is adopted unchanged |
| changed | the row | the fields that were not edited are updated |
| a new key for the same task and arguments | the row | the row is kept and renamed |
| | the row was deleted | none: it stays deleted |
| removed | the row, not edited | the row is disabled |
| removed | the row, edited | the row is kept, and reported |
"""

import json
import math
from datetime import timedelta
from typing import Any

from celery import Celery
from celery.schedules import BaseSchedule, crontab, schedule, solar
from django.db import transaction
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule

from {{ cookiecutter.project_slug }}.periodic.models import SyncedEntry

KINDS = {"crontab": CrontabSchedule, "interval": IntervalSchedule, "solar": SolarSchedule, "clocked": ClockedSchedule}
"""The models of schedules, by kind. A row has one schedule, in the field with the name of its kind."""

OPTIONS = ("queue", "exchange", "routing_key", "priority")
"""The supported options of a schedule entry, besides `expires`."""

UNITS = {name: timedelta(**{name: 1}) for name in ("days", "hours", "minutes", "seconds", "microseconds")}
"""The units of an interval."""

CLEANUP = {"task": "celery.backend_cleanup", "schedule": crontab(minute="0", hour="4"), "options": {"expires": 43200}}
"""The entry that Celery's own schedulers add if the result backend does not expire results."""

Schedule = list[Any]
"""The kind of a schedule, and the fields of its row by name, as strings."""

Definition = dict[str, Any]
"""The fields of a periodic task's row by name, with its schedule as `Schedule` in the field `schedule`."""


def sync(app: Celery, dry_run: bool = False) -> list[str]:
    """Update the database from `beat_schedule`, and return a line for each change.

    Args:
        app: The application, whose configuration has the schedule.
        dry_run: Do not save the changes.

    Raises:
        ValueError: The database does not support an option or a schedule of an entry.
    """
    entries: dict[str, dict[str, Any]] = dict(app.conf.beat_schedule)
    if app.conf.result_backend and not app.backend.supports_autoexpire:
        entries.setdefault("celery.backend_cleanup", CLEANUP)
    with transaction.atomic():
        changes = _update_rows({key: parse_entry(key, entry) for key, entry in entries.items()})
        transaction.set_rollback(dry_run)
    return changes


def _update_rows(definitions: dict[str, Definition]) -> list[str]:
    synced = {entry.key: entry for entry in SyncedEntry.objects.select_related("row")}
    changes = []
    for key, definition in definitions.items():
        entry = synced.pop(key, None) or _pop_renamed(definition, synced, definitions)
        if entry is None:
            changes.append(_add_row(key, definition))
        else:
            changes += _update_row(entry, key, definition)
    for entry in synced.values():
        changes += _disable_row(entry)
    return changes


def _pop_renamed(
    definition: Definition, synced: dict[str, SyncedEntry], definitions: dict[str, Definition]
) -> SyncedEntry | None:
    """Remove and return the entry whose key is no longer in the code, if exactly one has this task and arguments."""
    fields = ("task", "args", "kwargs")
    found = [
        entry
        for key, entry in synced.items()
        if key not in definitions and all(entry.definition[name] == definition[name] for name in fields)
    ]
    return synced.pop(found[0].key) if len(found) == 1 else None


def _add_row(key: str, definition: Definition) -> str:
    row = PeriodicTask.objects.filter(name=key).first()
    change = f"{key}: existing row adopted unchanged"
    if row is None:
        row = PeriodicTask(name=key)
        write_row(row, definition)
        change = f"{key}: added"
    SyncedEntry.objects.create(key=key, definition=definition, row=row)
    return change


def _update_row(entry: SyncedEntry, key: str, definition: Definition) -> list[str]:
    changes = []
    if entry.row is not None:
        current = read_row(entry.row)
        # Update only the fields that still have the last value of the code.
        new = {name: value for name, value in definition.items() if current[name] == entry.definition[name] != value}
        if new:
            write_row(entry.row, new)
            changes = [f"{key}: {', '.join(sorted(new))} changed"]
    if (entry.key, entry.definition) != (key, definition):
        entry.key, entry.definition = key, definition
        entry.save()
    return changes


def _disable_row(entry: SyncedEntry) -> list[str]:
    if entry.row is None:
        entry.delete()
        return []
    current = read_row(entry.row)
    if current != entry.definition:
        return [f"{entry.key}: no longer in the code, kept since it was edited in the admin"]
    if not current["enabled"]:
        return []
    write_row(entry.row, {"enabled": False})
    entry.definition["enabled"] = False
    entry.save()
    return [f"{entry.key}: disabled, no longer in the code"]


def parse_entry(key: str, entry: dict[str, Any]) -> Definition:
    """Return the definition of a schedule entry.

    Raises:
        ValueError: The database does not support an option or the schedule of the entry.
    """
    options = dict(entry.get("options", {}))
    expires = options.pop("expires", None)
    unknown = sorted({*entry} - {"task", "schedule", "args", "kwargs", "options"}) + sorted({*options} - {*OPTIONS})
    if unknown:
        raise ValueError(f"{key}: the schedule in the database does not support {', '.join(unknown)}")
    return {
        "name": key,
        "task": entry["task"],
        "args": list(entry.get("args", ())),
        "kwargs": dict(entry.get("kwargs", {})),
        "schedule": parse_schedule(key, entry["schedule"]),
        "expire_seconds": None if expires is None else math.ceil(expires),  # the field has whole seconds
        "enabled": True,
        **{option: options.get(option) for option in OPTIONS},
    }


def parse_schedule(key: str, when: BaseSchedule | timedelta) -> Schedule:
    """Return a schedule of the code as `Schedule`.

    Raises:
        ValueError: The database does not support this kind of schedule.
    """
    when = when if isinstance(when, BaseSchedule) else schedule(when)
    if isinstance(when, crontab):
        fields = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
        values = {field: str(getattr(when, f"_orig_{field}")) for field in fields}
        return ["crontab", {**values, "timezone": str(when.app.conf.timezone)}]
    if isinstance(when, solar):
        return ["solar", {"event": when.event, "latitude": f"{when.lat:.6f}", "longitude": f"{when.lon:.6f}"}]
    if type(when) is schedule:
        interval: timedelta = when.run_every  # type: ignore[attr-defined]  # missing in the stubs
        period, unit = next((name, unit) for name, unit in UNITS.items() if not interval % unit)
        return ["interval", {"every": str(interval // unit), "period": period}]
    raise ValueError(f"{key}: the schedule in the database does not support {type(when).__name__}")


def read_row(row: PeriodicTask) -> Definition:
    """Return the definition of a row."""
    definition = {name: getattr(row, name) for name in ("name", "task", "expire_seconds", "enabled", *OPTIONS)}
    definition |= {name: json.loads(getattr(row, name) or "null") for name in ("args", "kwargs")}
    for kind in KINDS:
        if when := getattr(row, kind):
            fields = [field.name for field in when._meta.fields if not field.primary_key]
            definition["schedule"] = [kind, {field: str(getattr(when, field)) for field in fields}]
    return definition


def write_row(row: PeriodicTask, definition: Definition) -> None:
    """Set fields of a row and save it, which notifies a running beat."""
    for name, value in definition.items():
        if name in ("args", "kwargs"):
            setattr(row, name, json.dumps(value))
        elif name == "schedule":
            kind, values = value
            # Several periodic tasks may share a schedule row. Therefore select another row instead of changing it.
            model = KINDS[kind]
            when = model.objects.filter(**values).first() or model.objects.create(**values)
            for other in KINDS:
                setattr(row, other, when if other == kind else None)
        else:
            setattr(row, name, value)
    row.save()
