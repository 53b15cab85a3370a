"""The synchronization of the schedule in the database, which follows the code and keeps edits in the admin."""

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
    """Return a function that starts beat's scheduler with schedule entries, and returns the changes of the database."""

    def start_beat(entries: dict[str, Any]) -> list[str]:
        monkeypatch.setitem(app.conf, "beat_schedule", entries)
        changes = sync(app, dry_run=True)
        Scheduler(app=app)
        assert sync(app) == [change for change in changes if "kept" in change], "each change is made once"
        return [change for change in changes if not change.startswith("celery.backend_cleanup")]

    return start_beat


def read_row(name: str = "nightly") -> PeriodicTask:
    """Return the row with this name from the database."""
    return PeriodicTask.objects.get(name=name)


def edit(**fields: Any) -> None:
    """Edit the row as the admin does."""
    edited = read_row()
    for name, value in fields.items():
        setattr(edited, name, value)
    edited.save()


def test_all_entries_of_the_code_are_added(deploy: Deploy) -> None:
    assert deploy(BEAT_SCHEDULE) == [f"{key}: added" for key in BEAT_SCHEDULE]
    for key, entry in BEAT_SCHEDULE.items():
        assert (read_row(key).task, read_row(key).queue) == (entry["task"], entry["options"]["queue"])


def test_a_row_has_all_fields_of_the_entry(deploy: Deploy) -> None:
    deploy({"nightly": NIGHTLY})
    assert (read_row().args, read_row().kwargs) == ("[1]", '{"days": 30}')
    assert (read_row().queue, read_row().expire_seconds, read_row().enabled) == ("default", 77760, True)
    assert (read_row().crontab.hour, str(read_row().crontab.timezone)) == ("3", str(app.conf.timezone))


@pytest.mark.parametrize(
    ("schedule", "text"),
    [
        (crontab(day_of_week="mon-fri", minute=30), "30 * * * mon-fri (m/h/dM/MY/d) {{ plan().project.timezone }}"),
        (timedelta(hours=1, minutes=30), "every 90 minutes"),
        (timedelta(milliseconds=1500), "every 1500000 microseconds"),
        (timedelta(days=2), "every 2 days"),
        (3600, "every hour"),
        (solar("sunset", 48.85, 2.35), "Sunset (48.850000, 2.350000)"),
    ],
)
def test_every_kind_of_schedule_is_stored(deploy: Deploy, schedule: Any, text: str) -> None:
    deploy({"nightly": {"task": "some.task", "schedule": schedule}})
    assert str(read_row().scheduler) == text
    assert deploy({"nightly": {"task": "some.task", "schedule": schedule}}) == []


def test_changed_fields_are_updated(deploy: Deploy) -> None:
    deploy({"nightly": NIGHTLY})
    changed = NIGHTLY | {"schedule": timedelta(hours=1), "options": {"queue": "other"}}
    assert deploy({"nightly": changed}) == ["nightly: expire_seconds, queue, schedule changed"]
    assert (read_row().queue, read_row().expire_seconds) == ("other", None)
    assert (str(read_row().scheduler), read_row().crontab) == ("every hour", None)


def test_edited_fields_are_kept_and_others_are_updated(deploy: Deploy) -> None:
    deploy({"nightly": NIGHTLY})
    edit(crontab=CrontabSchedule.objects.create(minute="0", hour="5"), description="later")
    assert deploy({"nightly": NIGHTLY}) == []
    changed = NIGHTLY | {"schedule": crontab(minute="0", hour="4"), "kwargs": {"days": 60}}
    assert deploy({"nightly": changed}) == ["nightly: kwargs changed"]
    assert (read_row().crontab.hour, read_row().kwargs, read_row().description) == ("5", '{"days": 60}', "later")


def test_a_disabled_row_stays_disabled(deploy: Deploy) -> None:
    deploy({"nightly": NIGHTLY})
    edit(enabled=False)
    deploy({"nightly": NIGHTLY | {"kwargs": {"days": 60}}})
    assert not read_row().enabled


def test_an_edited_shared_schedule_is_kept(deploy: Deploy) -> None:
    deploy({"nightly": NIGHTLY})
    CrontabSchedule.objects.update(hour="5")
    assert deploy({"nightly": NIGHTLY}) == []
    assert read_row().crontab.hour == "5"


def test_a_deleted_row_stays_deleted(deploy: Deploy) -> None:
    deploy({"nightly": NIGHTLY})
    read_row().delete()
    assert deploy({"nightly": NIGHTLY | {"kwargs": {}}}) == []
    assert not PeriodicTask.objects.filter(name="nightly").exists()


def test_a_removed_entry_is_disabled_and_enabled_again_with_the_code(deploy: Deploy) -> None:
    deploy({"nightly": NIGHTLY})
    assert deploy({}) == ["nightly: disabled, no longer in the code"]
    assert not read_row().enabled
    assert deploy({"nightly": NIGHTLY}) == ["nightly: enabled changed"]
    assert read_row().enabled


def test_an_edited_row_is_kept_when_its_entry_is_removed(deploy: Deploy) -> None:
    deploy({"nightly": NIGHTLY})
    edit(queue="other")
    assert deploy({}) == ["nightly: no longer in the code, kept since it was edited in the admin"]
    assert read_row().enabled


def test_a_new_key_for_the_same_task_and_arguments_renames_the_row(deploy: Deploy) -> None:
    deploy({"nightly": NIGHTLY})
    before = read_row().pk
    later = NIGHTLY | {"schedule": crontab(minute="0", hour="4")}
    assert deploy({"at four": later}) == ["at four: name, schedule changed"]
    assert (read_row("at four").pk, read_row("at four").crontab.hour) == (before, "4")


def test_an_existing_row_is_adopted_unchanged(deploy: Deploy) -> None:
    hourly = IntervalSchedule.objects.create(every=1, period="hours")
    PeriodicTask.objects.create(name="nightly", task="some.task", interval=hourly)
    assert deploy({"nightly": NIGHTLY}) == ["nightly: existing row adopted unchanged"]
    assert read_row().interval == hourly


def test_rows_created_in_the_admin_are_not_changed(deploy: Deploy) -> None:
    hourly = IntervalSchedule.objects.create(every=1, period="hours")
    PeriodicTask.objects.create(name="created in the admin", task="some.task", interval=hourly)
    deploy({"nightly": NIGHTLY})
    assert read_row("created in the admin").enabled


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"options": {"countdown": 5}}, "nightly: the schedule in the database does not support countdown"),
        ({"relative": True}, "nightly: the schedule in the database does not support relative"),
    ],
)
def test_an_unsupported_option_is_an_error(deploy: Deploy, fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        deploy({"nightly": NIGHTLY | fields})


@pytest.mark.django_db(transaction=True)
def test_beat_uses_the_edited_row(deploy: Deploy) -> None:
    deploy({"nightly": NIGHTLY})
    edit(crontab=None, interval=IntervalSchedule.objects.create(every=5, period="seconds"), queue="other")
    entry = Scheduler(app=app).schedule["nightly"]
    assert (entry.args, entry.kwargs, entry.options["queue"]) == ([1], {"days": 30}, "other")
    assert entry.schedule.run_every == timedelta(seconds=5)


def test_the_command_prints_the_changes_and_saves_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(app.conf, "beat_schedule", {"nightly": NIGHTLY})
    for arguments, rows in ((["--dry-run"], 0), ([], 1)):
        output = StringIO()
        call_command("sync_schedule", *arguments, stdout=output)
        assert output.getvalue().startswith("nightly: added\n")
        assert PeriodicTask.objects.filter(name="nightly").count() == rows
