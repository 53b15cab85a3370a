"""Liveness, without asking the broker: the age of a heartbeat file, and systemd's watchdog.

A worker's main process beats every two seconds and beat at each of its ticks (see `signals.py`); both
keep beating while tasks are busy and stop when the process hangs. As a probe: `python -m {{ cookiecutter.project_slug }}.health`.
"""

import os
import socket
import sys
import time
from pathlib import Path

MAX_AGE = 120.0
"""Seconds without a heartbeat until a process counts as dead; a short outage of the broker is none."""


def beat() -> None:
    """Show that this process is alive."""
    if file := os.environ.get("HEARTBEAT_FILE"):
        Path(file).touch()
    notify_systemd("WATCHDOG=1")


def notify_systemd(state: str) -> None:
    """Tell systemd of this process's state (see sd_notify(3)); nothing happens elsewhere."""
    if address := os.environ.get("NOTIFY_SOCKET"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notification:
            notification.connect("\0" + address[1:] if address.startswith("@") else address)
            notification.sendall(state.encode())


def main() -> int:
    """Exit status 0 if the process that owns `HEARTBEAT_FILE` is alive, else 1 and one line why."""
    # Read here, not by settings.py: a probe runs every few seconds and must be quick.
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
