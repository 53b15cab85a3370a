"""What beat remembers over a restart, and with a file that is damaged or cannot be written."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from celery.schedules import crontab

from {{ cookiecutter.project_slug }}.beat import FileScheduler
from {{ cookiecutter.project_slug }}.celery_app import app


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of beats with two jobs, at another hour and each hour, of which none is due now."""
    other_hour = crontab(minute="0", hour=str((app.now().hour - 6) % 24))
    jobs: dict[str, Any] = {"nightly": other_hour, "hourly": timedelta(hours=1)}
    schedule = {name: {"task": f"some.{name}", "schedule": when} for name, when in jobs.items()}
    monkeypatch.setitem(app.conf, "beat_schedule", schedule)
    return tmp_path / "last-runs.json"


class Beat(FileScheduler):
    """A beat that keeps what it would send."""

    def __init__(self, file: Path) -> None:
        self.sent: list[str] = []
        super().__init__(app, schedule_filename=str(file))

    @property
    def producer(self) -> Any:
        """No connection."""
        return Mock()

    def send_task(self, *args: Any, **_: Any) -> Any:
        """Keep the name."""
        self.sent.append(args[0])
        return Mock()

    def work(self) -> list[str]:
        """Tick until nothing is due, and return what was sent."""
        for _ in range(len(self.schedule) + 2):
            self.tick()
        return sorted(self.sent)


def miss(file: Path, days: int) -> None:
    """Write that all jobs ran last so many days ago."""
    beat = Beat(file)
    for entry in beat.schedule.values():
        entry.last_run_at = app.now() - timedelta(days=days)
    beat.close()


@pytest.mark.parametrize("days", [1, 3])
def test_a_missed_job_is_sent_once_at_the_start(file: Path, days: int) -> None:
    assert Beat(file).work() == []
    miss(file, days)
    assert Beat(file).work() == ["some.hourly", "some.nightly"]
    assert Beat(file).work() == []  # killed, and started again


@pytest.mark.parametrize("damage", [b"", b"{", b"\x00\xff", b"[1]", b'{"nightly": 1}', b'{"nightly": "late"}', None])
def test_a_damaged_file_costs_the_missed_jobs_only(
    file: Path, damage: bytes | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("{{ cookiecutter.project_slug }}.beat.log", log := Mock())
    miss(file, 1)
    log.warning.reset_mock()
    if damage is None:
        file.unlink()
    else:
        file.write_bytes(damage)
    assert Beat(file).work() == []
    log.warning.assert_called_once()
    assert Beat(file).work() == []
    log.warning.assert_called_once()  # the file is whole again


def test_a_full_disk_sends_nothing_twice(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    miss(file, 1)
    monkeypatch.setattr("{{ cookiecutter.project_slug }}.beat.log", log := Mock())
    full = OSError("No space left on device")
    with monkeypatch.context() as disk:
        disk.setattr("os.fsync", Mock(side_effect=full))
        before = file.read_bytes()
        beat = Beat(file)
        assert beat.work() == ["some.hourly", "some.nightly"]
        assert file.read_bytes() == before
        log.error.assert_called()
    assert beat.work() == ["some.hourly", "some.nightly"]
    beat.close()
    assert Beat(file).work() == []


def test_a_job_that_left_the_code_leaves_the_file(file: Path) -> None:
    miss(file, 1)
    del app.conf.beat_schedule["hourly"]
    assert Beat(file).work() == ["some.nightly"]
    assert "hourly" not in file.read_text(encoding="utf-8")


def test_results_that_do_not_expire_are_deleted(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(app.backend, "supports_autoexpire", False)
    assert "celery.backend_cleanup" in Beat(file).schedule
