"""Beat's scheduler: django-celery-beat's, but what people changed in the admin stays."""

import structlog
from django.db.models import QuerySet
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler

from {{ cookiecutter.project_slug }}.periodic.sync import sync

log = structlog.get_logger(__name__)


class Scheduler(DatabaseScheduler):  # type: ignore[misc]  # its base has no types
    """The rows of the database. Its base would set those of `schedule.py` back to the code at each start."""

    def setup_schedule(self) -> None:
        """Bring the rows in line with the code, as beat starts."""
        for change in sync(self.app):
            log.info("schedule changed", change=change)

    def enabled_models_qs(self) -> QuerySet[PeriodicTask]:
        """Return all enabled rows. Its base leaves out most crontabs that are not due within two hours, missed ones too."""
        enabled: QuerySet[PeriodicTask] = self.Model.objects.enabled()
        return enabled
