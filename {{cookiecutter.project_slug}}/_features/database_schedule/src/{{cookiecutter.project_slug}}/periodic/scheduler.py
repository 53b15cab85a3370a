"""Beat's scheduler: django-celery-beat's, but what people changed in the admin stays."""

import structlog
from django_celery_beat.schedulers import DatabaseScheduler

from {{ cookiecutter.project_slug }}.periodic.sync import sync

log = structlog.get_logger(__name__)


class Scheduler(DatabaseScheduler):  # type: ignore[misc]  # its base has no types
    """The rows of the database. Its base would set those of `schedule.py` back to the code at each start."""

    def setup_schedule(self) -> None:
        """Bring the rows in line with the code, as beat starts."""
        for change in sync(self.app):
            log.info("schedule changed", change=change)
