"""Metrics of the outbox. The exporter serves them, so that they exist while no relay runs."""

import django
import structlog
from django.db import Error, close_old_connections
from django.db.models import Count, Min
from django.utils import timezone
from prometheus_client import Gauge

django.setup()  # before the import of models: the exporter is not a command of Django

from {{ cookiecutter.project_slug }}.outbox.models import OutboxMessage  # noqa: E402

MESSAGES = Gauge("celery_outbox_messages", "Number of tasks in the outbox.")
OLDEST = Gauge("celery_outbox_oldest_message_age_seconds", "Age of the oldest task in the outbox; 0 if it is empty.")

log = structlog.get_logger(__name__)


def update() -> None:
    """Query the database and set the metrics. If it is unreachable, export no values."""
    close_old_connections()
    try:
        found = OutboxMessage.objects.aggregate(number=Count("pk"), oldest=Min("created_at"))
    except Error as error:
        log.warning("database unreachable", error=repr(error))
        MESSAGES.set(float("nan"))
        OLDEST.set(float("nan"))
        return
    MESSAGES.set(found["number"])
    OLDEST.set((timezone.now() - found["oldest"]).total_seconds() if found["oldest"] else 0)
