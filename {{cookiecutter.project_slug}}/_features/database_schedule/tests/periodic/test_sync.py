"""The schedule in the database follows the code, but never over what somebody changed in the admin."""

from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from celery.schedules import crontab, solar
from django.core.management import call_command
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.periodic.scheduler import Scheduler
from {{ cookiecutter.project_slug }}.periodic.sync import sync
from {{ cookiecutter.project_slug }}.schedule import BEAT_SCHEDULE

pytestmark = pytest.mark.django_db

NIGHTLY = {
    "task": "some.task",
    "schedule": crontab(minute="0", hour="3"),
    "args": [1],
    "kwargs": {"days": 30},
    "options": {"queue": "default", "expires": 77760},
}
Deploy = Callable[[dict[str, Any]], list[str]]


@pytest.fixture
def deploy(monkeypatch: pytest.MonkeyPatch) -> Deploy:
    """Starts beat's scheduler with these jobs in the code, and returns what that changed in the database."""

    def start(jobs: dict[str, Any]) -> list[str]:
        monkeypatch.setitem(app.conf, "beat_schedule", jobs)
        changes = sync(app, dry_run=True)
        Scheduler(app=app)
        assert sync(app) == [change for change in changes if "stays" in change], "it is done once"
        return [change for change in changes if not change.startswith("celery.backend_cleanup")]

    return start


def row(name: str = "nightly") -> PeriodicTask:
    """The row of this name, afresh."""
    return PeriodicTask.objects.get(name=name)


def edit(**fields: Any) -> None:
    """Change the row as the admin does."""
    edited = row()
    for name, value in fields.items():
        setattr(edited, name, value)
    edited.save()


def test_the_jobs_of_the_code_are_all_there(deploy: Deploy) -> None:
    assert deploy(BEAT_SCHEDULE) == [f"{key}: added" for key in BEAT_SCHEDULE]
    for key, job in BEAT_SCHEDULE.items():
        assert (row(key).task, row(key).queue) == (job["task"], job["options"]["queue"])


def test_a_job_has_all_that_the_code_says(deploy: Deploy) -> None:
    deploy({"nightly": NIGHTLY})
    assert (row().args, row().kwargs) == ("[1]", '{"days": 30}')
    assert (row().queue, row().expire_seconds, row().enabled) == ("default", 77760, True)
    assert (row().crontab.hour, str(row().crontab.timezone)) == ("3", str(app.conf.timezone))


@pytest.mark.parametrize(
    ("schedule", "words"),
    [
        (crontab(day_of_week="mon-fri", minute=30), "30 * * * mon-fri (m/h/dM/MY/d) {{ plan().project.timezone }}"),
        (timedelta(hours=1, minutes=30), "every 90 minutes"),
        (timedelta(milliseconds=1500), "every 1500000 microseconds"),
        (timedelta(days=2), "every 2 days"),
        (3600, "every hour"),
        (solar("sunset", 48.85, 2.35), "Sunset (48.850000, 2.350000)"),
    ],
)
def test_every_kind_of_schedule_is_kept(deploy: Deploy, schedule: Any, words: str) -> None:
    deploy({"nightly": {"task": "some.task", "schedule": schedule}})
    assert str(row().scheduler) == words
    assert deploy({"nightly": {"task": "some.task", "schedule": schedule}}) == []


def test_what_the_code_changes_changes(deploy: Deploy) -> None:
    deploy({"nightly": NIGHTLY})
    changed = NIGHTLY | {"schedule": timedelta(hours=1), "options": {"queue": "other"}}
    assert deploy({"nightly": changed}) == ["nightly: expire_seconds, queue, schedule changed"]
    assert (row().queue, row().expire_seconds) == ("other", None)
    assert (str(row().scheduler), row().crontab) == ("every hour", None)


def test_what_somebody_changed_stays_and_the_rest_follows_the_code(deploy: Deploy) -> None:
    deploy({"nightly": NIGHTLY})
    edit(crontab=CrontabSchedule.objects.create(minute="0", hour="5"), description="later")
    assert deploy({"nightly": NIGHTLY}) == []
    changed = NIGHTLY | {"schedule": crontab(minute="0", hour="4"), "kwargs": {"days": 60}}
    assert deploy({"nightly": changed}) == ["nightly: kwargs changed"]
    assert (row().crontab.hour, row().kwargs, row().description) == ("5", '{"days": 60}', "later")


def test_a_job_that_somebody_disabled_stays_disabled(deploy: Deploy) -> None:
    deploy({"nightly": NIGHTLY})
    edit(enabled=False)
    deploy({"nightly": NIGHTLY | {"kwargs": {"days": 60}}})
    assert not row().enabled


def test_a_schedule_that_somebody_changed_for_all_its_jobs_stays(deploy: Deploy) -> None:
    deploy({"nightly": NIGHTLY})
    CrontabSchedule.objects.update(hour="5")
    assert deploy({"nightly": NIGHTLY}) == []
    assert row().crontab.hour == "5"


def test_a_job_that_somebody_deleted_stays_deleted(deploy: Deploy) -> None:
    deploy({"nightly": NIGHTLY})
    row().delete()
    assert deploy({"nightly": NIGHTLY | {"kwargs": {}}}) == []
    assert not PeriodicTask.objects.filter(name="nightly").exists()


def test_a_job_that_leaves_the_code_is_disabled_and_comes_back_with_it(deploy: Deploy) -> None:
    deploy({"nightly": NIGHTLY})
    assert deploy({}) == ["nightly: disabled, no longer in the code"]
    assert not row().enabled
    assert deploy({"nightly": NIGHTLY}) == ["nightly: enabled changed"]
    assert row().enabled


def test_one_that_somebody_changed_stays_when_it_leaves_the_code(deploy: Deploy) -> None:
    deploy({"nightly": NIGHTLY})
    edit(queue="other")
    assert deploy({}) == ["nightly: no longer in the code, but changed in the admin, so it stays"]
    assert row().enabled


def test_a_new_key_for_the_same_task_and_arguments_is_the_same_job(deploy: Deploy) -> None:
    deploy({"nightly": NIGHTLY})
    before = row().pk
    later = NIGHTLY | {"schedule": crontab(minute="0", hour="4")}
    assert deploy({"at four": later}) == ["at four: name, schedule changed"]
    assert (row("at four").pk, row("at four").crontab.hour) == (before, "4")


def test_a_row_that_was_there_before_is_taken_over_as_it_is(deploy: Deploy) -> None:
    hourly = IntervalSchedule.objects.create(every=1, period="hours")
    PeriodicTask.objects.create(name="nightly", task="some.task", interval=hourly)
    assert deploy({"nightly": NIGHTLY}) == ["nightly: taken over, as it is"]
    assert row().interval == hourly


def test_the_rows_of_people_are_theirs(deploy: Deploy) -> None:
    hourly = IntervalSchedule.objects.create(every=1, period="hours")
    PeriodicTask.objects.create(name="by hand", task="some.task", interval=hourly)
    deploy({"nightly": NIGHTLY})
    assert row("by hand").enabled


@pytest.mark.parametrize(
    ("job", "complaint"),
    [
        ({"options": {"countdown": 5}}, "nightly: the schedule in the database has no place for countdown"),
        ({"relative": True}, "nightly: the schedule in the database has no place for relative"),
    ],
)
def test_what_the_database_cannot_keep_is_an_error(deploy: Deploy, job: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        deploy({"nightly": NIGHTLY | job})


@pytest.mark.django_db(transaction=True)
def test_beat_sends_what_the_database_says(deploy: Deploy) -> None:
    deploy({"nightly": NIGHTLY})
    edit(crontab=None, interval=IntervalSchedule.objects.create(every=5, period="seconds"), queue="other")
    entry = Scheduler(app=app).schedule["nightly"]
    assert (entry.args, entry.kwargs, entry.options["queue"]) == ([1], {"days": 30}, "other")
    assert entry.schedule.run_every == timedelta(seconds=5)


def test_the_command_says_what_beat_would_do_and_does_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.conf, "beat_schedule", {"nightly": NIGHTLY})
    for arguments, rows in ((["--dry-run"], 0), ([], 1)):
        said = StringIO()
        call_command("sync_schedule", *arguments, stdout=said)
        assert said.getvalue().startswith("nightly: added\n")
        assert PeriodicTask.objects.filter(name="nightly").count() == rows
