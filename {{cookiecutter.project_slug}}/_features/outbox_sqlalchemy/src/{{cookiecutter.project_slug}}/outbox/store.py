"""The queries of the relay and the exporter."""

from collections.abc import Callable
from datetime import UTC, datetime

from sqlalchemy import func, select
from sqlalchemy.exc import InterfaceError, OperationalError

from {{ cookiecutter.project_slug }}.database import transaction
from {{ cookiecutter.project_slug }}.outbox.models import OutboxMessage, create_table

OUTAGES = (InterfaceError, OperationalError)
"""The errors of an unavailable database."""


def process_next(attempt: Callable[[OutboxMessage], bool]) -> bool:
    """Call `attempt` with the first message that is due; return whether there was one. Delete it after a success.

    Other relays skip the locked row. If this process is killed before the commit, the row is published again, with the
    same task id.
    """
    create_table()
    due = OutboxMessage.next_attempt_at <= datetime.now(UTC)
    first = select(OutboxMessage).where(due).order_by(OutboxMessage.id).limit(1)
    with transaction() as session:
        message = session.scalar(first.with_for_update(skip_locked=True))  # not on SQLite, which has one writer
        if message is None:
            return False
        if attempt(message):
            session.delete(message)
    return True


def measure() -> tuple[int, datetime | None]:
    """Return the number of messages, and the time of the oldest."""
    create_table()
    with transaction() as session:
        number, oldest = session.execute(select(func.count(), func.min(OutboxMessage.created_at))).one()
    if oldest and not oldest.tzinfo:  # SQLite, which tests use, stores no offset
        oldest = oldest.replace(tzinfo=UTC)
    return number, oldest
