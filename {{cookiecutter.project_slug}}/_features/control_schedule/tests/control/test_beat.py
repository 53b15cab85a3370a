"""Beat skips the runs of paused periodic tasks."""

{% if plan().features.file_schedule %}
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import Mock
{% elif plan().features.redbeat %}
from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock
{% endif %}

import pytest
from celery import beat

from {{ cookiecutter.project_slug }}.control.beat import PausableScheduler, start_reader
from {{ cookiecutter.project_slug }}.control.pauses import Pause
from {{ cookiecutter.project_slug }}.control.watcher import PauseReader
{% if plan().features.file_schedule %}

from ..test_beat import RecordingScheduler, schedule_file, store_last_runs

__all__ = ("schedule_file",)
{% endif %}


def make_reader(*names: str) -> PauseReader:
    """Return a reader that has read these pauses."""
    reader = PauseReader("periodic task")
    reader.pauses = {name: Pause("periodic task", name, datetime.now(UTC), "alice") for name in names}
    return reader


@pytest.fixture
def scheduler(monkeypatch: pytest.MonkeyPatch) -> PausableScheduler:
    """Return a scheduler whose base class sends nothing."""
    monkeypatch.setattr(beat.Scheduler, "apply_async", Mock(return_value="sent"))
    monkeypatch.setattr(PausableScheduler, "reserve", Mock())
    return PausableScheduler.__new__(PausableScheduler)


def test_beat_sends_nothing_until_it_knows_the_pauses(
    scheduler: PausableScheduler, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PausableScheduler.__base__, "tick", Mock(return_value=3))
    monkeypatch.setattr(PauseReader, "start", lambda _: None)
    start_reader(sender=Mock(scheduler=scheduler))
    assert scheduler.tick() == 1
    scheduler.reader = make_reader()
    assert scheduler.tick() == 3


def test_a_paused_run_counts_as_sent(scheduler: PausableScheduler) -> None:
    entry = Mock()
    entry.name = "nightly"
    scheduler.reader = make_reader("nightly")
    assert scheduler.apply_async(entry) is None
    reserve: Any = scheduler.reserve
    reserve.assert_called_once_with(entry)
    scheduler.reader = make_reader("hourly")
    assert scheduler.apply_async(entry) == "sent"
{% if plan().features.file_schedule %}


def test_runs_that_were_due_during_a_pause_are_not_sent_later(schedule_file: Path) -> None:
    store_last_runs(schedule_file, days=3)
    scheduler = RecordingScheduler(schedule_file)
    scheduler.reader = make_reader("nightly")
    assert scheduler.send_due_tasks() == ["some.hourly"]
    scheduler.reader = make_reader()
    assert scheduler.send_due_tasks() == ["some.hourly"]
    assert RecordingScheduler(schedule_file).send_due_tasks() == []  # beat was killed after the pause
{% endif %}
