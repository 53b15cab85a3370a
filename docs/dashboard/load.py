"""What a service might be sent. Run with a project's own Python: load.py PACKAGE MINUTES."""

from __future__ import annotations

import random
import sys
import time
from dataclasses import dataclass

from celery.app.utils import find_app


@dataclass(frozen=True)
class Stream:
    """Tasks of one kind.

    Attributes:
        name: the module and the function.
        every: seconds between two of them, about.
        rush: the same in a rush.
        rush_minutes: when that begins and ends.
        seconds: how long they run, at least and at most.
        retried: the share that fails once.
        failed: the share that fails each time.
    """

    name: str
    every: float
    rush: float
    rush_minutes: tuple[float, float]
    seconds: tuple[float, float]
    retried: float
    failed: float


STREAMS = (
    Stream("default.resize_image", 0.5, 0.125, (7, 9), (0.2, 1.8), 0.02, 0.004),
    Stream("high_priority.send_receipt", 0.7, 0.7, (0, 0), (0.05, 0.6), 0.06, 0.01),
    Stream("low_priority.build_report", 22, 1, (6, 6.25), (4, 20), 0.1, 0.02),
)


def main() -> None:
    """Send until the time is over."""
    package, minutes = sys.argv[1], float(sys.argv[2])
    app = find_app(f"{package}.celery_app")
    chance = random.Random(7)  # noqa: S311 the same each time
    started = time.monotonic()
    due = dict.fromkeys(STREAMS, 0.0)
    while (now := time.monotonic() - started) < 60 * minutes:
        for stream in STREAMS:
            if due[stream] > now:
                continue
            luck = chance.random()
            failures = 99 if luck < stream.failed else int(luck < stream.failed + stream.retried)
            app.send_task(f"{package}.tasks.{stream.name}", [chance.uniform(*stream.seconds), failures])
            begins, ends = (60 * minute for minute in stream.rush_minutes)
            due[stream] += chance.uniform(0.5, 1.5) * (stream.rush if begins <= now < ends else stream.every)
        time.sleep(max(0.0, min(due.values()) - now))


if __name__ == "__main__":
    main()
