"""What is said of workers that are missing, old, confused or about to hang unseen."""

from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import pytest

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.doctor import report, workers
from {{ cookiecutter.project_slug }}.doctor.workers import Worker
from {{ cookiecutter.project_slug }}.health import MAX_AGE
from {{ cookiecutter.project_slug }}.queues import QueueName

ALL = [name.value for name in QueueName]
WELL = Worker("all@here", ALL, report.VERSION, skew=0, watched=True, heartbeat=1)


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Takes the place of the question to all workers."""
    broadcast = Mock()
    monkeypatch.setattr(app.control, "broadcast", broadcast)
    return broadcast


def test_a_worker_says_what_it_takes_from_and_what_it_runs(answer: Mock) -> None:
    queues = [Mock(), Mock()]
    queues[0].name, queues[1].name = "emails", "reports"
    said = report.checkup(Mock(consumer=Mock(task_consumer=Mock(queues=queues))))

    answer.side_effect = lambda *_, callback, **__: callback({"emails@here": said})
    (worker,) = workers.ask()
    assert (worker.name, worker.queues) == ("emails@here", ["emails", "reports"])
    assert worker.version == report.VERSION
    assert abs(worker.skew) < 1


def test_nobody_answers_is_one_failure(answer: Mock) -> None:
    (found,) = workers.examine()
    assert (found.check, found.status) == ("workers", "failure")


def test_a_queue_without_a_worker_is_a_failure() -> None:
    assert workers.consumers([WELL]).status == "ok"
    found = workers.consumers([replace(WELL, queues=ALL[:-1])])
    assert (found.status, found.what) == ("failure", f"none answers that takes from {ALL[-1]}")


def test_two_workers_of_one_name_are_a_failure() -> None:
    assert workers.names([WELL, replace(WELL, name="other@here")]).status == "ok"
    found = workers.names([WELL, WELL])
    assert (found.status, found.what) == ("failure", "several workers are called all@here")


def test_workers_of_two_versions_are_a_failure() -> None:
    assert workers.versions([WELL, WELL]).status == "ok"
    found = workers.versions([WELL, replace(WELL, name="old@here", version="celery 5.6.0, code 0a1b2c3d")])
    assert found.status == "failure"
    assert "celery 5.6.0, code 0a1b2c3d: old@here" in found.what


def test_another_version_than_here_is_a_warning() -> None:
    assert workers.versions([replace(WELL, version="celery 5.7.0, code 0a1b2c3d")]).status == "warning"


def test_the_version_follows_the_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(report, "PACKAGE", tmp_path)
    (tmp_path / "tasks.py").write_text("one")
    before = report.code()
    (tmp_path / "tasks.py").write_text("two")
    assert report.code() != before


def test_the_worst_clock_is_named() -> None:
    found = workers.worst_clock([WELL, replace(WELL, name="late@there", skew=-3600)])
    assert (found.status, found.what) == ("failure", "late@there is 3600 s behind this machine")


def test_an_old_heartbeat_is_a_failure() -> None:
    assert workers.heartbeats([WELL, replace(WELL, heartbeat=None)]).status == "ok"
    found = workers.heartbeats([WELL, replace(WELL, name="stuck@here", heartbeat=MAX_AGE + 1)])
    assert (found.status, found.what) == ("failure", "the file of stuck@here is old")


def test_a_worker_that_nobody_watches_is_a_warning() -> None:
    found = workers.heartbeats([replace(WELL, watched=False, heartbeat=None)])
    assert (found.status, found.what) == ("warning", "nobody would notice that all@here hangs")


def test_the_age_of_a_heartbeat_is_that_of_its_file(tmp_path: Path) -> None:
    assert report.age(tmp_path / "missing") is None
    (tmp_path / "heartbeat").touch()
    assert report.age(tmp_path / "heartbeat") == pytest.approx(0, abs=5)
