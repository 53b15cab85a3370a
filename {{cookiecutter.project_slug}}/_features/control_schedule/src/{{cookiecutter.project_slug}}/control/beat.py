"""The part of beat's scheduler that skips the runs of paused periodic tasks."""

from typing import Any

import structlog
from celery import signals
{% if plan().features.file_schedule %}
from celery.beat import ScheduleEntry, Scheduler, Service
{% elif plan().features.redbeat %}
from celery.beat import ScheduleEntry, Service
from redbeat.schedulers import RedBeatScheduler as Scheduler
{% endif %}

from {{ cookiecutter.project_slug }}.control.watcher import PauseReader

log = structlog.get_logger(__name__)


{% if plan().features.file_schedule %}
class PausableScheduler(Scheduler):
{% elif plan().features.redbeat %}
class PausableScheduler(Scheduler):  # type: ignore[misc]
{% endif %}
    """A scheduler that counts a paused run as sent: after a pause, the next run is at its usual time."""

    reader: PauseReader | None = None
    """The thread that reads the pauses in a running beat."""

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send the due tasks, unless the pauses are unknown. Return the seconds until the next tick."""
        if self.reader and self.reader.pauses is None:
            return 1.0
        return float(super().tick(*args, **kwargs))

    def apply_async(self, entry: ScheduleEntry, producer: Any = None, advance: bool = True, **kwargs: Any) -> Any:
        """Send a task, unless it is paused."""
        if not self.reader or entry.name not in (self.reader.pauses or ()):
            return super().apply_async(entry, producer, advance, **kwargs)
        log.info("periodic task paused, not sent", entry=entry.name)
        if advance:
            self.reserve(entry)
        self.sync()
        return None


@signals.beat_init.connect
def start_reader(sender: Service, **_: Any) -> None:
    """Start the thread when beat starts."""
    sender.scheduler.reader = PauseReader("periodic task")  # type: ignore[attr-defined]
    sender.scheduler.reader.start()  # type: ignore[attr-defined]
