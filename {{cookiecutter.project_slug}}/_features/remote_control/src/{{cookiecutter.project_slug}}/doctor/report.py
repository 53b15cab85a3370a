"""What a worker says of itself when the doctor asks. Each worker imports this, and nothing else of the doctor."""

import hashlib
import os
import time
from pathlib import Path
from typing import Any

import celery
from celery.worker.control import inspect_command

PACKAGE = Path(__file__).parents[1]


def code() -> str:
    """A word for the source as it is on this machine's disk."""
    digest = hashlib.sha256()
    for file in sorted(PACKAGE.rglob("*.py")):
        digest.update(f"{file.relative_to(PACKAGE).as_posix()}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:8]


VERSION = f"celery {celery.__version__}, code {code()}"
"""What this process runs: read as it starts, since a deployment may change the files below it."""


@inspect_command()
def checkup(state: Any) -> dict[str, Any]:
    """What the doctor wants to know of a worker."""
    file = os.environ.get("HEARTBEAT_FILE")
    consumer = state.consumer.task_consumer
    return {
        "queues": [queue.name for queue in consumer.queues] if consumer else [],
        "version": VERSION,
        "time": time.time(),
        "watched": bool(file or os.environ.get("NOTIFY_SOCKET")),
        "heartbeat": age(Path(file)) if file else None,
    }


def age(file: Path) -> float | None:
    """Seconds since a file was touched; None if it does not exist."""
    try:
        return time.time() - file.stat().st_mtime
    except FileNotFoundError:
        return None
