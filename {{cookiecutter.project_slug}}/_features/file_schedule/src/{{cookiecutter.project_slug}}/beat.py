"""A scheduler that stores the last run of each periodic task in a JSON file.

Celery's default scheduler stores a dbm file. Its name and format depend on the Python installation, and a damaged file
can prevent beat from starting.
"""

import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
{% if not plan().features.control_schedule %}
from celery.beat import Scheduler
{% elif plan().features.control_schedule %}

from {{ cookiecutter.project_slug }}.control.beat import PausableScheduler as Scheduler
{% endif %}

log = structlog.get_logger(__name__)


class FileScheduler(Scheduler):
    """Celery's scheduler with a JSON file, the option `-s`. Without the file, no run counts as missed."""

    def __init__(self, app: Any, *args: Any, schedule_filename: str, **options: Any) -> None:
        self.path = Path(schedule_filename)
        super().__init__(app, *args, **options)

    def setup_schedule(self) -> None:
        """Load the schedule from the code, and the last runs from the file."""
        self.merge_inplace(self.app.conf.beat_schedule)
        self.install_default_entries(self.schedule)
        for name, last_run in self.read_last_runs().items():
            if entry := self.schedule.get(name):
                entry.last_run_at = last_run
        self.sync()

    def read_last_runs(self) -> dict[str, datetime]:
        """Return the last run of each schedule entry, or an empty mapping if the file cannot be read."""
        try:
            runs = json.loads(self.path.read_bytes())
            return {name: datetime.fromisoformat(run).astimezone(self.app.timezone) for name, run in runs.items()}
        except (OSError, ValueError, TypeError, AttributeError) as error:
            log.warning("last runs unknown, missed tasks not sent", file=str(self.path), error=repr(error))
            return {}

    def sync(self) -> None:
        """Replace the file atomically. Celery calls this after each task: see `beat_sync_every`."""
        runs = {name: entry.last_run_at.isoformat() for name, entry in self.schedule.items() if entry.last_run_at}
        new = self.path.with_name(f"{self.path.name}.new")
        try:
            with new.open("w", encoding="utf-8") as file:
                json.dump(runs, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self.path)
        except OSError as error:  # beat still has the last runs in memory
            log.error("last runs not written", file=str(self.path), error=repr(error))
