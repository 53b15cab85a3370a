"""The queries of the relay and the exporter."""

from collections.abc import Callable
from datetime import datetime

from django.db import Error, close_old_connections, transaction
from django.db.models import Count, Min
from django.utils import timezone

from {{ cookiecutter.project_slug }}.outbox.models import OutboxMessage

OUTAGES = (Error,)
"""The errors of an unavailable database."""


def process_next(attempt: Callable[[OutboxMessage], bool]) -> bool:
    """Call `attempt` with the first message that is due; return whether there was one. Delete it after a success.

    Other relays skip the locked row. If this process is killed before the commit, the row is published again, with the
    same task id.
    """
    with transaction.atomic():
        messages = OutboxMessage.objects.select_for_update(skip_locked=True)  # not on SQLite, which has one writer
        message = messages.filter(next_attempt_at__lte=timezone.now()).first()
        if message is None:
            return False
        if attempt(message):
            message.delete()
        else:
            message.save()
    return True


def measure() -> tuple[int, datetime | None]:
    """Return the number of messages, and the time of the oldest."""
    close_old_connections()
    found = OutboxMessage.objects.aggregate(number=Count("pk"), oldest=Min("created_at"))
    return found["number"], found["oldest"]
