"""The outbox of the tests."""

from typing import Any

import pytest
from celery.result import AsyncResult
from sqlalchemy import delete, select, update

from {{ cookiecutter.project_slug }}.base_task import BaseTask
from {{ cookiecutter.project_slug }}.database import transaction
from {{ cookiecutter.project_slug }}.outbox.models import OutboxMessage, create_table


@pytest.fixture(autouse=True)
def empty_outbox() -> None:
    """Delete the messages of the previous test."""
    create_table()
    with transaction() as session:
        session.execute(delete(OutboxMessage))


def delay(task: BaseTask, *args: Any, **kwargs: Any) -> AsyncResult[Any]:
    """Store a task in a transaction."""
    with transaction() as session:
        return task.delay_in_transaction(session, *args, **kwargs)


def apply_async(task: BaseTask, args: Any, **options: Any) -> AsyncResult[Any]:
    """Store a task with options in a transaction."""
    with transaction() as session:
        return task.apply_async_in_transaction(session, args, **options)


def messages() -> list[OutboxMessage]:
    """Return the messages in the outbox, the oldest first."""
    with transaction() as session:
        found = list(session.scalars(select(OutboxMessage).order_by(OutboxMessage.id)))
        session.expunge_all()  # keeps their values after the commit
        return found


def change(**fields: Any) -> None:
    """Set fields of all messages."""
    with transaction() as session:
        session.execute(update(OutboxMessage).values(**fields))
