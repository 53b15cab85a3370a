"""What is said of jobs in the database that nobody sends, or that cannot run."""

from datetime import timedelta

import pytest
from django.utils.timezone import now
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from {{ cookiecutter.project_slug }}.doctor import schedule
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping

pytestmark = pytest.mark.django_db


@pytest.fixture
def job() -> PeriodicTask:
    """A job that is due every ten minutes, and was sent just now."""
    interval = IntervalSchedule.objects.create(every=10, period=IntervalSchedule.MINUTES)
    return PeriodicTask.objects.create(name="tidy", task=ping.name, interval=interval, last_run_at=now())


def wrong() -> list[tuple[str, str]]:
    """What the doctor finds wrong."""
    return [(finding.check, finding.what) for finding in schedule.examine() if finding.status != "ok"]


@pytest.mark.usefixtures("job")
def test_a_job_that_was_sent_is_right() -> None:
    assert wrong() == []


def test_a_job_that_was_not_sent_is_a_failure(job: PeriodicTask) -> None:
    job.last_run_at = now() - timedelta(minutes=10, seconds=schedule.GRACE + 5)
    job.save()
    assert wrong() == [("schedule", "not sent, though due: tidy")]


def test_a_crontab_counts_likewise(job: PeriodicTask) -> None:
    job.interval, job.crontab = None, CrontabSchedule.objects.create(minute="0", hour="3")
    job.last_run_at = now() - timedelta(days=2)
    job.save()
    assert wrong() == [("schedule", "not sent, though due: tidy")]


@pytest.mark.parametrize(
    "excuse", [{"enabled": False}, {"start_time": now() + timedelta(days=1)}], ids=["switched off", "not yet"]
)
def test_a_job_may_have_a_reason(job: PeriodicTask, excuse: dict[str, object]) -> None:
    PeriodicTask.objects.filter(pk=job.pk).update(last_run_at=now() - timedelta(days=2), **excuse)
    assert wrong() == []


@pytest.mark.parametrize("mistake", [{"task": "no.such.task"}, {"queue": "misspelt"}], ids=["task", "queue"])
def test_what_does_not_exist_is_a_failure(job: PeriodicTask, mistake: dict[str, str]) -> None:
    PeriodicTask.objects.filter(pk=job.pk).update(**mistake)
    assert wrong() == [("jobs", "no such task or queue: tidy")]
