"""Liveness, without asking the broker: the age of a heartbeat file, and systemd's watchdog.

As a probe: `python -m {{ cookiecutter.project_slug }}.health`.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

INTERVAL = 3.0
"""Seconds between two signs of life of a worker."""

HANGS_AFTER = 60.0
"""Seconds without a heartbeat until a worker's main loop counts as stuck."""

MAX_AGE = 120.0
"""Seconds without a sign of life until a process counts as dead."""


def show_life() -> None:
    """Tell the supervisor that this process is alive."""
    if file := os.environ.get("HEARTBEAT_FILE"):
        Path(file).touch()
    notify_systemd("WATCHDOG=1")


class Heart(threading.Thread):
    """Shows life as long as a worker's main loop beats, or has a reason not to.

    Celery sends no heartbeat while it waits for a broker that is away, nor while it stops. Neither is a
    reason for a supervisor to kill the worker, and its running tasks with it.
    """

    def __init__(self) -> None:
        super().__init__(name="heart", daemon=True)
        self.last_beat = time.monotonic()
        self.excused: Callable[[], bool] = lambda: False

    def beat(self) -> None:
        """Note that the main loop has turned."""
        self.last_beat = time.monotonic()

    @property
    def alive(self) -> bool:
        """Whether the main loop has turned of late, or is excused."""
        return self.excused() or time.monotonic() - self.last_beat < HANGS_AFTER

    def run(self) -> None:
        """Show life until the process ends."""
        while True:
            if self.alive:
                show_life()
            time.sleep(INTERVAL)


def notify_systemd(state: str) -> None:
    """Tell systemd of this process's state (see sd_notify(3)); nothing happens elsewhere."""
    if address := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notification:
            notification.connect("\0" + address[1:] if address.startswith("@") else address)
            notification.sendall(state.encode())


def main() -> int:
    """Exit status 0 if the process that owns `HEARTBEAT_FILE` is alive, else 1 and one line why."""
    # Read here, not by the settings: a probe runs every few seconds and must be quick.
    file = os.environ.get("HEARTBEAT_FILE")
    if not file:
        print("HEARTBEAT_FILE is not set: there is no heartbeat to look at", file=sys.stderr)
        return 1
    try:
        age = time.time() - Path(file).stat().st_mtime
    except FileNotFoundError:
        print(f"{file} does not exist: the process has not started", file=sys.stderr)
        return 1
    if age > MAX_AGE:
        print(f"{file} is {age:.0f} s old: the process hangs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
