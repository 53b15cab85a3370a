"""The schedule in Redis, and the lock of the beat that sends what is due."""

import time
from collections.abc import Iterator, Sequence
from typing import Any

from redbeat.schedulers import RedBeatSchedulerEntry, ensure_conf, get_redis

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.doctor.findings import Finding, failure, ok

GRACE = 60.0
"""Seconds that a job may be late; another beat takes over within half of it."""


def examine() -> Iterator[Finding]:
    """Look at the lock, and for what should have been sent."""
    conf, redis = ensure_conf(app), get_redis(app)
    yield lock(redis.ttl(conf.lock_key))
    due: list[str] = redis.zrangebyscore(conf.schedule_key, 0, time.time() - GRACE)
    entries: list[Any] = [RedBeatSchedulerEntry.from_key(key, app=app) for key in due]
    yield overdue([entry.name for entry in entries if entry.enabled])


def lock(seconds: int) -> Finding:
    """Whether a beat holds the lock, by the seconds that it still lasts; below 0 there is none."""
    if seconds < 0:
        return failure("beat", "none holds the lock, so no job is sent", "start one, as compose.yaml does")
    return ok("beat", f"one sends, and has said so {ensure_conf(app).lock_timeout - seconds} s ago")


def overdue(names: Sequence[str]) -> Finding:
    """Which jobs should have been sent before now."""
    if names:
        what = f"not sent, though more than {GRACE:.0f} s overdue: {', '.join(sorted(names))}"
        return failure("schedule", what, "restart the beat that sends; its log says what it does")
    return ok("schedule", "no job is overdue")
