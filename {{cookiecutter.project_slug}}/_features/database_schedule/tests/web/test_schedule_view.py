"""The periodic jobs are there for those who may look, as the database has them."""

import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.periodic.sync import sync
from {{ cookiecutter.project_slug }}.schedule import BEAT_SCHEDULE

from .conftest import LogIn


@pytest.mark.django_db
def test_the_periodic_jobs_are_listed_but_those_that_are_disabled(log_in: LogIn) -> None:
    sync(app)
    hourly = IntervalSchedule.objects.create(every=1, period="hours")
    PeriodicTask.objects.create(name="by hand", task="some.task", interval=hourly)
    PeriodicTask.objects.create(name="not now", task="some.task", interval=hourly, enabled=False)
    names = [job["name"] for job in log_in("view_task").get("/schedule").json()]
    assert {*BEAT_SCHEDULE, "by hand"} <= {*names}
    assert "not now" not in names
