"""The list of periodic tasks, from the rows of the database."""

from datetime import timedelta

import pytest
from django.utils.timezone import now
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.periodic.sync import sync
from {{ cookiecutter.project_slug }}.periodic_tasks import list_periodic_tasks
from {{ cookiecutter.project_slug }}.schedule import BEAT_SCHEDULE

pytestmark = pytest.mark.django_db


def test_the_enabled_rows_are_listed() -> None:
    sync(app)
    hourly = IntervalSchedule.objects.create(every=1, period="hours")
    PeriodicTask.objects.create(name="created in the admin", task="some.task", interval=hourly)
    PeriodicTask.objects.create(name="disabled", task="some.task", interval=hourly, enabled=False)
{% if plan().features.control %}
    names = {task.name for task in list_periodic_tasks() if not task.paused}
{% else %}
    names = {task.name for task in list_periodic_tasks()}
{% endif %}
    assert {*BEAT_SCHEDULE, "created in the admin"} <= names
    assert "disabled" not in names


def test_a_row_has_a_time_zone_and_a_next_run() -> None:
    nightly = CrontabSchedule.objects.create(minute="0", hour="3", timezone="Asia/Kathmandu")
    hourly = IntervalSchedule.objects.create(every=1, period="hours")
    PeriodicTask.objects.create(name="a", task="some.task", crontab=nightly, kwargs='{"days": 30}', queue="some")
    PeriodicTask.objects.create(name="b", task="some.task", interval=hourly, last_run_at=now())
    cron, interval = (task for task in list_periodic_tasks() if task.task == "some.task")
    assert (cron.schedule, cron.timezone) == ("0 3 * * *", "Asia/Kathmandu")
    assert (cron.queue, cron.kwargs) == ("some", {"days": 30})
    assert cron.next_run_at
    assert interval.next_run_at
    assert cron.next_run_at.strftime("%H:%M %z") == "03:00 +0545"
    assert interval.schedule == "every 3600 s"
    assert timedelta(minutes=59) < interval.next_run_at - now() < timedelta(minutes=61)
