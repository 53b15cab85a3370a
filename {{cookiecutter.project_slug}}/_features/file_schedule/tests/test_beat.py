"""Missed runs after a restart, and a file that is damaged or cannot be written."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from celery.schedules import crontab

from {{ cookiecutter.project_slug }}.beat import FileScheduler
from {{ cookiecutter.project_slug }}.celery_app import app


@pytest.fixture
def schedule_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the file, and set a schedule with a daily and an hourly entry that are not due now."""
    other_hour = crontab(minute="0", hour=str((app.now().hour - 6) % 24))
    schedules: dict[str, Any] = {"nightly": other_hour, "hourly": timedelta(hours=1)}
    schedule = {name: {"task": f"some.{name}", "schedule": when} for name, when in schedules.items()}
    monkeypatch.setitem(app.conf, "beat_schedule", schedule)
    return tmp_path / "last-runs.json"


class RecordingScheduler(FileScheduler):
    """A scheduler that records the names of the tasks that it sends."""

    def __init__(self, path: Path) -> None:
        self.sent: list[str] = []
        super().__init__(app, schedule_filename=str(path))

    @property
    def producer(self) -> Any:
        """Return a mock instead of a connection to the broker."""
        return Mock()

    def send_task(self, *args: Any, **_: Any) -> Any:
        """Record the name."""
        self.sent.append(args[0])
        return Mock()

    def send_due_tasks(self) -> list[str]:
        """Tick until no entry is due, and return the names of all tasks sent."""
        for _ in range(len(self.schedule) + 2):
            self.tick()
        return sorted(self.sent)


def store_last_runs(schedule_file: Path, days: int) -> None:
    """Store a last run of each entry the given number of days ago."""
    scheduler = RecordingScheduler(schedule_file)
    for entry in scheduler.schedule.values():
        entry.last_run_at = app.now() - timedelta(days=days)
    scheduler.close()


@pytest.mark.parametrize("days", [1, 3])
def test_a_missed_run_is_sent_once_at_startup(schedule_file: Path, days: int) -> None:
    assert RecordingScheduler(schedule_file).send_due_tasks() == []
    store_last_runs(schedule_file, days)
    assert RecordingScheduler(schedule_file).send_due_tasks() == ["some.hourly", "some.nightly"]
    assert RecordingScheduler(schedule_file).send_due_tasks() == []  # restarted after a kill


@pytest.mark.parametrize("damage", [b"", b"{", b"\x00\xff", b"[1]", b'{"nightly": 1}', b'{"nightly": "late"}', None])
def test_a_damaged_file_loses_only_missed_runs(
    schedule_file: Path, damage: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("{{ cookiecutter.project_slug }}.beat.log", log := Mock())
    store_last_runs(schedule_file, 1)
    log.warning.reset_mock()
    if damage is None:
        schedule_file.unlink()
    else:
        schedule_file.write_bytes(damage)
    assert RecordingScheduler(schedule_file).send_due_tasks() == []
    log.warning.assert_called_once()
    assert RecordingScheduler(schedule_file).send_due_tasks() == []
    log.warning.assert_called_once()  # the file was rewritten


def test_a_full_disk_does_not_repeat_runs(schedule_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store_last_runs(schedule_file, 1)
    monkeypatch.setattr("{{ cookiecutter.project_slug }}.beat.log", log := Mock())
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", Mock(side_effect=OSError("No space left on device")))
        before = schedule_file.read_bytes()
        scheduler = RecordingScheduler(schedule_file)
        assert scheduler.send_due_tasks() == ["some.hourly", "some.nightly"]
        assert schedule_file.read_bytes() == before
        log.error.assert_called()
    assert scheduler.send_due_tasks() == ["some.hourly", "some.nightly"]
    scheduler.close()
    assert RecordingScheduler(schedule_file).send_due_tasks() == []


def test_a_removed_entry_is_deleted_from_the_file(schedule_file: Path) -> None:
    store_last_runs(schedule_file, 1)
    del app.conf.beat_schedule["hourly"]
    assert RecordingScheduler(schedule_file).send_due_tasks() == ["some.nightly"]
    assert "hourly" not in schedule_file.read_text(encoding="utf-8")


def test_a_backend_without_expiry_has_a_cleanup_entry(schedule_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.backend, "supports_autoexpire", False)
    assert "celery.backend_cleanup" in RecordingScheduler(schedule_file).schedule
