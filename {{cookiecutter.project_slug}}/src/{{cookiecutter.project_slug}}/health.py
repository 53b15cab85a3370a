"""Liveness of workers and beat, independent of the broker: a heartbeat file, and systemd's watchdog.

The probe is `python -m {{ cookiecutter.project_slug }}.health`.
"""

import os
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

REPORT_INTERVAL = 3.0
"""Seconds between two reports of a worker that it is alive."""

HEARTBEAT_TIMEOUT = 60.0
"""Seconds without a heartbeat after which the main loop of a worker is considered stuck."""

MAX_FILE_AGE = 120.0
"""Seconds without a touch of the heartbeat file after which a process is considered dead."""


def report_alive() -> None:
    """Report to the supervisor that this process is alive."""
    if file := os.environ.get("HEARTBEAT_FILE"):
        Path(file).touch()
    notify_systemd("WATCHDOG=1")


class HeartbeatThread(threading.Thread):
    """A thread that reports a worker as alive while its main loop sends heartbeats or is exempt from them.

    Celery sends no heartbeats while it reconnects to the broker or shuts down. The supervisor must not kill the
    worker and its running tasks for that.
    """

    def __init__(self) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self.last_heartbeat = time.monotonic()
        self.is_exempt: Callable[[], bool] = lambda: False

    def record_heartbeat(self) -> None:
        """Record a heartbeat of the main loop."""
        self.last_heartbeat = time.monotonic()

    @property
    def is_healthy(self) -> bool:
        """Whether the last heartbeat is recent, or the worker is exempt."""
        return self.is_exempt() or time.monotonic() - self.last_heartbeat < HEARTBEAT_TIMEOUT

    def run(self) -> None:
        """Report until the process exits."""
        while True:
            if self.is_healthy:
                report_alive()
            time.sleep(REPORT_INTERVAL)


def notify_systemd(state: str) -> None:
    """Send a state of this process to systemd, if it runs this process as a service; see sd_notify(3)."""
    if address := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notification:
            notification.connect("\0" + address[1:] if address.startswith("@") else address)
            notification.sendall(state.encode())


def main() -> int:
    """Check `HEARTBEAT_FILE`; return 0 if its process is alive, otherwise print the reason and return 1."""
    # Not from the settings, whose import is slow: a probe runs every few seconds.
    file = os.environ.get("HEARTBEAT_FILE")
    if not file:
        print("HEARTBEAT_FILE: not set. Example: HEARTBEAT_FILE=/run/heartbeat", file=sys.stderr)
        return 1
    try:
        age = time.time() - Path(file).stat().st_mtime
    except FileNotFoundError:
        print(f"{file} does not exist: the process has not started", file=sys.stderr)
        return 1
    if age > MAX_FILE_AGE:
        print(f"{file} is {age:.0f} s old: the process hangs or was killed", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
