"""The scheduler of django-celery-beat, except that it keeps edits in the admin."""

import structlog
from django.db.models import QuerySet
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler

from {{ cookiecutter.project_slug }}.periodic.sync import sync

log = structlog.get_logger(__name__)


class Scheduler(DatabaseScheduler):  # type: ignore[misc]  # its base has no types
    """A scheduler of the rows in the database. Its base class would overwrite edits at each start of beat."""

    def setup_schedule(self) -> None:
        """Update the rows from the code at startup."""
        for change in sync(self.app):
            log.info("schedule changed", change=change)

    def enabled_models_qs(self) -> QuerySet[PeriodicTask]:
        """Return all enabled rows. The base class omits most crontabs not due within two hours, even missed ones."""
        enabled: QuerySet[PeriodicTask] = self.Model.objects.enabled()
        return enabled
