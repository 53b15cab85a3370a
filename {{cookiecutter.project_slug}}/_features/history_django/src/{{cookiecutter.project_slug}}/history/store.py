"""The storage of runs in Django's database."""

from datetime import datetime

import django
from django.apps import apps
from django.db import InterfaceError, OperationalError, connection
from django.db.models import Q

if not apps.models_ready:
    django.setup()  # in a command such as `python -m {{ cookiecutter.project_slug }}.history`

from {{ cookiecutter.project_slug }}.history import models
from {{ cookiecutter.project_slug }}.history.runs import RecordedRun, Run, RunFilter

OUTAGES = (InterfaceError, OperationalError)
"""The errors of an unavailable database."""

DELETED_AT_ONCE = 5000
"""The maximum number of rows that `delete_runs` deletes."""


def insert_runs(runs: list[RecordedRun]) -> None:
    """Insert runs in one transaction."""
    close_if_unusable()
    models.Run.objects.bulk_create([models.Run(**run) for run in runs])


def list_runs(filters: RunFilter) -> list[Run]:
    """Return the runs that match the filters, the most recent first."""
    names = {"task", "queue", "outcome", "task_id"}
    runs = models.Run.objects.filter(**filters.model_dump(include=names, exclude_none=True))
    if filters.since:
        runs = runs.filter(ended__gte=filters.since)
    if filters.before is not None:
        last = models.Run.objects.filter(pk=filters.before).first()
        runs = runs.filter(Q(ended__lt=last.ended) | Q(ended=last.ended, pk__lt=last.pk)) if last else runs.none()
    return [Run.model_validate(run) for run in runs[: filters.limit]]


def delete_runs(before: datetime) -> int:
    """Delete a part of the runs that ended before a time. Return their number."""
    close_if_unusable()
    old = models.Run.objects.filter(ended__lt=before).order_by("ended").values("pk")[:DELETED_AT_ONCE]
    return models.Run.objects.filter(pk__in=old).delete()[0]


def close_if_unusable() -> None:
    """Close the connection of this thread if the server has closed it."""
    if not connection.in_atomic_block:  # in tests
        connection.close_if_unusable_or_obsolete()


def close() -> None:
    """Close the connection of this thread."""
    connection.close()
