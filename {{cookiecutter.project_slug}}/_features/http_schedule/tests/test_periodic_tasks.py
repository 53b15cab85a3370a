"""The schedule as data: what runs, when, and when next."""

from datetime import datetime, timedelta

import pytest
from celery.schedules import crontab, schedule

from {{ cookiecutter.project_slug }}.celery_app import app
{% if not plan().features.database_schedule %}
from {{ cookiecutter.project_slug }}.periodic_tasks import periodic_tasks, timing
from {{ cookiecutter.project_slug }}.schedule import BEAT_SCHEDULE
{% elif plan().features.database_schedule %}
from {{ cookiecutter.project_slug }}.periodic_tasks import timing
{% endif %}

NOW = datetime(2026, 3, 1, 12, 0, 7, tzinfo=app.timezone)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stops Celery's clock."""
    monkeypatch.setattr(app, "now", lambda: NOW)


@pytest.mark.usefixtures("clock")
def test_a_cron_expression_has_its_next_run_in_its_time_zone() -> None:
    assert timing(crontab(minute="*/15", hour="3", day_of_week="mon-fri", app=app)) == {
        "schedule": "*/15 3 * * mon-fri",
        "timezone": str(app.timezone),
        "next_run_at": datetime(2026, 3, 2, 3, 0, tzinfo=app.timezone),
    }


@pytest.mark.usefixtures("clock")
def test_the_next_run_of_an_interval_is_known_with_its_last_run_only() -> None:
    hourly = schedule(timedelta(hours=1), app=app)
    assert timing(hourly)["schedule"] == "every 3600 s"
    assert timing(hourly)["next_run_at"] is None
    assert timing(hourly, NOW - timedelta(minutes=10))["next_run_at"] == NOW + timedelta(minutes=50)
{% if not plan().features.database_schedule %}


def test_every_entry_is_listed() -> None:
    for task in periodic_tasks():
        job = BEAT_SCHEDULE[task.name]
        assert (task.task, task.queue) == (job["task"], job["options"]["queue"])
        assert (task.args, task.kwargs) == (job.get("args", []), job.get("kwargs", {}))
        assert task.next_run_at is None or task.next_run_at > app.now()
    assert len(periodic_tasks()) == len(BEAT_SCHEDULE)
{% endif %}
