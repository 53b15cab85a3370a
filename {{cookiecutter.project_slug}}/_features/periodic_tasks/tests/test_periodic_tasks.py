"""The description of periodic tasks and their schedules."""

from datetime import datetime, timedelta

import pytest
from celery.schedules import crontab, schedule

from {{ cookiecutter.project_slug }}.celery_app import app
{% if not plan().features.database_schedule %}
from {{ cookiecutter.project_slug }}.periodic_tasks import describe_schedule, list_periodic_tasks
from {{ cookiecutter.project_slug }}.schedule import BEAT_SCHEDULE
{% elif plan().features.database_schedule %}
from {{ cookiecutter.project_slug }}.periodic_tasks import describe_schedule
{% endif %}

NOW = datetime(2026, 3, 1, 12, 0, 7, tzinfo=app.timezone)


@pytest.fixture
def fixed_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set Celery's current time."""
    monkeypatch.setattr(app, "now", lambda: NOW)


@pytest.mark.usefixtures("fixed_time")
def test_the_next_run_of_a_cron_expression_is_in_its_time_zone() -> None:
    assert describe_schedule(crontab(minute="*/15", hour="3", day_of_week="mon-fri", app=app)) == {
        "schedule": "*/15 3 * * mon-fri",
        "timezone": str(app.timezone),
        "next_run_at": datetime(2026, 3, 2, 3, 0, tzinfo=app.timezone),
    }


@pytest.mark.usefixtures("fixed_time")
def test_the_next_run_of_an_interval_requires_its_last_run() -> None:
    hourly = schedule(timedelta(hours=1), app=app)
    assert describe_schedule(hourly)["schedule"] == "every 3600 s"
    assert describe_schedule(hourly)["next_run_at"] is None
    assert describe_schedule(hourly, NOW - timedelta(minutes=10))["next_run_at"] == NOW + timedelta(minutes=50)
{% if not plan().features.database_schedule %}


{% if plan().features.control_django %}
@pytest.mark.django_db
{% endif %}
def test_every_schedule_entry_is_listed() -> None:
    for task in list_periodic_tasks():
        entry = BEAT_SCHEDULE[task.name]
        assert (task.task, task.queue) == (entry["task"], entry["options"]["queue"])
        assert (task.args, task.kwargs) == (entry.get("args", []), entry.get("kwargs", {}))
        assert task.next_run_at is None or task.next_run_at > app.now()
    assert len(list_periodic_tasks()) == len(BEAT_SCHEDULE)
{% endif %}
