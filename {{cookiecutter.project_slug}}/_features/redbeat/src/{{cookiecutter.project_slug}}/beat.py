"""A RedBeat scheduler for several beat instances: the instance that holds a lock in Redis is active.

https://redbeat.readthedocs.io
"""

from datetime import datetime
from typing import Any

import structlog
{% if plan().features.control_schedule %}
from redbeat.schedulers import get_redis
{% else %}
from redbeat.schedulers import RedBeatScheduler, get_redis
{% endif %}
from redis.exceptions import LockError
from redis.lock import Lock

{% if plan().features.control_schedule %}
from {{ cookiecutter.project_slug }}.control.beat import PausableScheduler
{% endif %}
from {{ cookiecutter.project_slug }}.redis_servers import check_servers

log = structlog.get_logger(__name__)


{% if plan().features.control_schedule %}
class StandbyScheduler(PausableScheduler):
{% else %}
class StandbyScheduler(RedBeatScheduler):  # type: ignore[misc]
{% endif %}
    """RedBeat's scheduler, except that it tries to acquire the lock at each tick.

    RedBeat waits for the lock before the first tick. A beat on standby would then fail its health check, since the
    heartbeat is updated at each tick. RedBeat also exits if it loses the lock, and stores the schedule only at startup.
    This scheduler acquires the lock again, and restores a schedule that Redis has lost.
    """

    lock: Lock | None
    lock_key: str | None
    last_active_tick: datetime | None = None
    """The time of the last tick of this instance while it is active; None on standby."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        check_servers(redbeat=True)
        super().__init__(*args, **kwargs)
        self.lock_name = str(self.lock_key)
        self.lock_key = None  # without it, RedBeat does not acquire the lock

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Publish the due tasks if this instance holds the lock. Return the seconds until the next tick."""
        if not self.acquire_lock():
            self.last_active_tick = None
            return float(self.max_interval)
        self.restore_schedule()
        now = self.app.now()
        interval = float(super().tick(*args, **kwargs))
        self.last_active_tick = now
        return interval

    def restore_schedule(self) -> None:
        """Store lost entries again, with the last tick as their last run, so that runs due since then are not lost."""
        keys = {name: self.Entry.generate_key(self.app, name) for name in self.app.conf.beat_schedule}
        if not keys:
            return
        client = get_redis(self.app)
        indexed = client.zmscore(self.app.redbeat_conf.schedule_key, list(keys.values()))
        if None not in indexed and client.exists(*keys.values()) == len(keys):
            return
        lost = [name for name, key in keys.items() if not client.exists(key)]
        log.warning("schedule lost, rewritten", entries=lost)
        self.setup_schedule()
        for name in lost:
            self.Entry.from_key(keys[name], app=self.app).reschedule(self.last_active_tick)

    def acquire_lock(self) -> bool:
        """Acquire or renew the lock. Return whether this instance holds it."""
        # RedBeat's connection reconnects after a restart of Redis.
        lock = self.lock or Lock(get_redis(self.app), self.lock_name, timeout=self.lock_timeout, thread_local=False)
        try:
            acquired = lock.reacquire() if self.lock else lock.acquire(blocking=False)
        except LockError:  # it expired, since a tick was late, or Redis has lost it
            acquired = lock.acquire(blocking=False)
        if acquired != bool(self.lock):
            log.info("beat active" if acquired else "beat on standby")
            if acquired:
                self.setup_schedule()  # the previously active instance may have had an older release
        self.lock = lock if acquired else None  # close() releases it
        return acquired
