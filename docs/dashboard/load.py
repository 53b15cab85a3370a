"""Publish tasks with a realistic load. Run it with the Python of a project: load.py PACKAGE MINUTES."""

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
        name: The module and the function.
        interval: The average number of seconds between two tasks.
        peak_interval: The interval at peak load.
        peak_minutes: The start and the end of the peak load.
        runtime: The minimum and the maximum in seconds.
        retried: The share of tasks that fail once.
        failed: The share of tasks that fail permanently.
    """

    name: str
    interval: float
    peak_interval: float
    peak_minutes: tuple[float, float]
    runtime: tuple[float, float]
    retried: float
    failed: float


STREAMS = (
    Stream("default.resize_image", 0.5, 0.125, (7, 9), (0.2, 1.8), 0.02, 0.004),
    Stream("high_priority.send_receipt", 0.7, 0.7, (0, 0), (0.05, 0.6), 0.06, 0.01),
    Stream("low_priority.build_report", 22, 1, (6, 6.25), (4, 20), 0.1, 0.02),
)


def main() -> None:
    """Publish tasks until the time is over."""
    package, minutes = sys.argv[1], float(sys.argv[2])
    app = find_app(f"{package}.celery_app")
    rng = random.Random(7)  # noqa: S311 reproducible
    started = time.monotonic()
    due = dict.fromkeys(STREAMS, 0.0)
    while (now := time.monotonic() - started) < 60 * minutes:
        for stream in STREAMS:
            if due[stream] > now:
                continue
            share = rng.random()
            failures = 99 if share < stream.failed else int(share < stream.failed + stream.retried)
            app.send_task(f"{package}.tasks.{stream.name}", [rng.uniform(*stream.runtime), failures])
            begins, ends = (60 * minute for minute in stream.peak_minutes)
            due[stream] += rng.uniform(0.5, 1.5) * (stream.peak_interval if begins <= now < ends else stream.interval)
        time.sleep(max(0.0, min(due.values()) - now))


if __name__ == "__main__":
    main()
