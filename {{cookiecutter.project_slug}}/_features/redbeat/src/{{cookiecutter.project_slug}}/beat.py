"""Several beats of which one sends: whoever holds a lock in Redis, which lasts as long as it shows signs of life.

https://redbeat.readthedocs.io
"""

from datetime import datetime
from typing import Any

import structlog
from redbeat.schedulers import RedBeatScheduler, get_redis
from redis.exceptions import LockError
from redis.lock import Lock

from {{ cookiecutter.project_slug }}.redis_servers import check_servers

log = structlog.get_logger(__name__)


class StandbyScheduler(RedBeatScheduler):  # type: ignore[misc]
    """RedBeat's scheduler, except that it asks for the lock at each tick.

    RedBeat itself waits for the lock before the first tick, so that a beat that waits would be taken for dead:
    its heartbeat comes with the ticks. And it ends when it has lost the lock; this one asks for it again. It also
    writes the schedule again when Redis has lost it, which RedBeat does at its start only.
    """

    lock: Lock | None
    lock_key: str | None
    sent_until: datetime | None = None
    """When this beat last sent what was due; None while another sends."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        check_servers(redbeat=True)
        super().__init__(*args, **kwargs)
        self.key = str(self.lock_key)
        self.lock_key = None  # without it, RedBeat itself takes no lock

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due, if it is this beat that sends; return the seconds until the next tick."""
        if not self.has_lock():
            self.sent_until = None
            return float(self.max_interval)
        self.restore_schedule()
        now = self.app.now()
        interval = float(super().tick(*args, **kwargs))
        self.sent_until = now
        return interval

    def restore_schedule(self) -> None:
        """Write the entries that Redis has lost, as sent at the last tick: what became due since is made up for."""
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
            self.Entry.from_key(keys[name], app=self.app).reschedule(self.sent_until)

    def has_lock(self) -> bool:
        """Keep the lock, or try to get it; whether this beat has it now."""
        # Through RedBeat's connection, which outlasts a restart of Redis.
        lock = self.lock or Lock(get_redis(self.app), self.key, timeout=self.lock_timeout, thread_local=False)
        try:
            has_it = lock.reacquire() if self.lock else lock.acquire(blocking=False)
        except LockError:  # it ran out: this beat was held up for long, or Redis has lost it
            has_it = lock.acquire(blocking=False)
        if has_it != bool(self.lock):
            log.info("beat active" if has_it else "beat on standby")
            if has_it:
                self.setup_schedule()  # the other may have had an older one
        self.lock = lock if has_it else None  # close() gives it back
        return has_it
