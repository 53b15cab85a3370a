"""A beat that does not send is a failure: without the lock, or with jobs that are overdue."""

import pytest
from redbeat.schedulers import RedBeatSchedulerEntry, ensure_conf

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.doctor import schedule


def test_without_a_lock_nobody_sends() -> None:
    assert schedule.lock(ensure_conf(app).lock_timeout - 3).what == "one sends, and has said so 3 s ago"
    found = schedule.lock(-2)
    assert (found.check, found.status) == ("beat", "failure")


def test_an_overdue_job_is_a_failure() -> None:
    assert schedule.overdue([]).status == "ok"
    found = schedule.overdue(["tidy", "report"])
    assert (found.check, found.status) == ("schedule", "failure")
    assert found.what.endswith("report, tidy")


class Redis:
    """One whose schedule has two jobs that should have been sent, of which one is switched off."""

    def ttl(self, _: str) -> int:
        """There is no lock."""
        return -2

    def zrangebyscore(self, *_: object) -> list[str]:
        """The keys of the jobs."""
        return ["on", "off"]


def test_what_is_switched_off_is_not_overdue(monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        def __init__(self, key: str) -> None:
            self.name, self.enabled = key, key == "on"

    monkeypatch.setattr(schedule, "get_redis", lambda _: Redis())
    monkeypatch.setattr(RedBeatSchedulerEntry, "from_key", lambda key, app: Entry(key))
    lock, overdue = schedule.examine()
    assert lock.status == "failure"
    assert overdue.what.endswith(": on")
