"""The tasks of both applications."""

from pathlib import Path
from time import monotonic

from celery import shared_task


@shared_task
def tiny() -> None:
    """Do nothing."""


@shared_task
def mark(file: str) -> None:
    """Write the time at which this task runs to a file."""
    Path(file).write_text(str(monotonic()), encoding="utf-8")
