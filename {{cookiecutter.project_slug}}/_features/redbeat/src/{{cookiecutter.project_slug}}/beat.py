"""Several beats of which one sends: whoever holds a lock in Redis, which lasts as long as it shows signs of life.

https://redbeat.readthedocs.io
"""

from typing import Any

import structlog
from redbeat.schedulers import RedBeatScheduler, get_redis
from redis.exceptions import LockError
from redis.lock import Lock

log = structlog.get_logger(__name__)


class StandbyScheduler(RedBeatScheduler):  # type: ignore[misc]
    """RedBeat's scheduler, except that it asks for the lock at each tick.

    RedBeat itself waits for the lock before the first tick, so that a beat that waits would be taken for dead:
    its heartbeat comes with the ticks. And it ends when it has lost the lock; this one asks for it again.
    """

    lock: Lock | None
    lock_key: str | None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.key = str(self.lock_key)
        self.lock_key = None  # without it, RedBeat itself takes no lock

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due, if it is this beat that sends; return the seconds until the next tick."""
        return float(super().tick(*args, **kwargs) if self.has_lock() else self.max_interval)

    def has_lock(self) -> bool:
        """Keep the lock, or try to get it; whether this beat has it now."""
        # Through RedBeat's connection, which outlasts a restart of Redis.
        lock = self.lock or Lock(get_redis(self.app), self.key, timeout=self.lock_timeout, thread_local=False)
        try:
            has_it = lock.reacquire() if self.lock else lock.acquire(blocking=False)
        except LockError:  # it ran out: this beat was held up for long, or Redis has lost it
            has_it = False
        if has_it != bool(self.lock):
            log.info("this beat sends from now on" if has_it else "another beat sends from now on")
        self.lock = lock if has_it else None  # close() gives it back
        return has_it
