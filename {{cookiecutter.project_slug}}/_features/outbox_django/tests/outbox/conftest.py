"""The outbox of the tests."""

from typing import Any

from celery.result import AsyncResult

from {{ cookiecutter.project_slug }}.base_task import BaseTask
from {{ cookiecutter.project_slug }}.outbox.models import OutboxMessage


def delay(task: BaseTask, *args: Any, **kwargs: Any) -> AsyncResult[Any]:
    """Store a task in the current transaction."""
    return task.delay_in_transaction(*args, **kwargs)


def apply_async(task: BaseTask, args: Any, **options: Any) -> AsyncResult[Any]:
    """Store a task with options in the current transaction."""
    return task.apply_async_in_transaction(args, **options)


def messages() -> list[OutboxMessage]:
    """Return the messages in the outbox, the oldest first."""
    return list(OutboxMessage.objects.all())


def change(**fields: Any) -> None:
    """Set fields of all messages."""
    OutboxMessage.objects.update(**fields)
