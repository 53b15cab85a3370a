"""The schedule in the database: what people changed in the admin, and what beat did of it."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from django.utils.timezone import now

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.doctor.findings import Finding, failure, ok
from {{ cookiecutter.project_slug }}.queues import QueueName

if TYPE_CHECKING:
    from django_celery_beat.models import PeriodicTask

GRACE = 600.0
"""Seconds that a job may be late: beat writes down what it has sent within five minutes."""


def examine() -> Iterator[Finding]:
    """Look at all jobs that are switched on."""
    from django_celery_beat.models import PeriodicTask  # now that Django is set up

    jobs = list(PeriodicTask.objects.filter(enabled=True))
    yield runnable(jobs, app.tasks)
    yield sent(jobs)


def runnable(jobs: Iterable[PeriodicTask], tasks: Collection[str]) -> Finding:
    """Whether each job names a task and a queue that exist; the admin does not look."""
    bad = [job.name for job in jobs if job.task not in tasks or job.queue not in (None, "", *QueueName)]
    if bad:
        advice = "correct them in the admin: such a job fails whenever it is sent"
        return failure("jobs", f"no such task or queue: {', '.join(sorted(bad))}", advice)
    return ok("jobs", "each has its task and its queue")


def sent(jobs: Iterable[PeriodicTask]) -> Finding:
    """Whether beat has sent what was due."""
    late = [job.name for job in jobs if is_late(job)]
    if late:
        what = f"not sent, though due: {', '.join(sorted(late))}"
        return failure("schedule", what, "start beat; if it runs, its log says what it does")
    return ok("schedule", "no job is overdue")


def is_late(job: PeriodicTask) -> bool:
    """Whether a job's time passed long ago, and it has not been sent since."""
    if job.clocked or (job.start_time and job.start_time > now()):
        return False
    left = job.schedule.remaining_estimate(job.last_run_at or job.date_changed)
    return bool(left.total_seconds() < -GRACE)
