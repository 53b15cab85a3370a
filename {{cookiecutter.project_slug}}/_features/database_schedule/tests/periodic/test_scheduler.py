"""Missed runs are published at startup."""

from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.periodic.scheduler import Scheduler

pytestmark = pytest.mark.django_db(transaction=True)  # beat closes old connections


def start_beat(monkeypatch: pytest.MonkeyPatch) -> tuple[Scheduler, list[str]]:
    """Start a scheduler. Return it and the list of the names of published tasks."""
    sent: list[str] = []
    scheduler = Scheduler(app)

    def send_task(name: str, *_: Any, **__: Any) -> Mock:
        sent.append(name)
        return Mock()

    monkeypatch.setattr(scheduler, "send_task", send_task)
    monkeypatch.setitem(scheduler.__dict__, "producer", Mock())  # no connection to the broker
    return scheduler, sent


@pytest.mark.parametrize("days", [1, 3])
@pytest.mark.parametrize("hours", [3, 6, 12, 18])
def test_a_missed_run_is_sent_once_at_startup(days: int, hours: int, monkeypatch: pytest.MonkeyPatch) -> None:
    PeriodicTask.objects.all().delete()
    hour = str((app.now().hour - hours) % 24)
    nightly = CrontabSchedule.objects.create(minute="0", hour=hour, timezone=app.conf.timezone)
    last_run = app.now() - timedelta(days=days)
    PeriodicTask.objects.create(name="nightly", task="some.nightly", crontab=nightly, last_run_at=last_run)
    for expected in (["some.nightly"], []):
        scheduler, sent = start_beat(monkeypatch)
        for _ in range(3):
            scheduler.tick()
        assert [name for name in sent if name == "some.nightly"] == expected
        scheduler.close()
