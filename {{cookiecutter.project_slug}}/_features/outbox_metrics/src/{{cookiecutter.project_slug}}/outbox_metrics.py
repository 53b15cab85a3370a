"""Metrics of the outbox. The exporter serves them, so that they exist while no relay runs."""

from datetime import UTC, datetime

{% if plan().features.outbox_django %}
import django
{% endif %}
import structlog
from prometheus_client import Gauge

{% if plan().features.outbox_django %}
django.setup()  # before the import of models: the exporter is not a command of Django

from {{ cookiecutter.project_slug }}.outbox import store  # noqa: E402
{% elif plan().features.outbox_sqlalchemy %}
from {{ cookiecutter.project_slug }}.outbox import store
{% endif %}

MESSAGES = Gauge("celery_outbox_messages", "Number of tasks in the outbox.")
OLDEST = Gauge("celery_outbox_oldest_message_age_seconds", "Age of the oldest task in the outbox; 0 if it is empty.")

log = structlog.get_logger(__name__)


def update() -> None:
    """Query the database and set the metrics. If it is unreachable, export no values."""
    try:
        number, oldest = store.measure()
    except store.OUTAGES as error:
        log.warning("database unreachable", error=repr(error))
        MESSAGES.set(float("nan"))
        OLDEST.set(float("nan"))
        return
    MESSAGES.set(number)
    OLDEST.set((datetime.now(UTC) - oldest).total_seconds() if oldest else 0)
