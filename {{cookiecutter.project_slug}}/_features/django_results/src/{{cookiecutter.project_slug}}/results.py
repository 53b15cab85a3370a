"""Where results are kept: in django-celery-results' tables, by any thread, whatever becomes of the database's server."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django
from celery import current_task, maybe_signature
from django.apps import apps
from django.db import InterfaceError, OperationalError, close_old_connections, connection, router, transaction

if not apps.ready:
    django.setup()  # in a script that does nothing but send tasks, and in Celery's commands

from django_celery_results.backends import database

from {{ cookiecutter.project_slug }}.result_store import OutageTolerant


@contextmanager
def usable_connection() -> Iterator[None]:
    """A connection that works, and that is closed afterwards if nobody else does.

    Django does after its requests, and Celery after its tasks; but `submissions.py` has threads of its own.
    """
    if connection.in_atomic_block:
        yield  # Django would close it, and so end the transaction
        return
    close_old_connections()
    nobodys = connection.connection is None and not current_task
    try:
        yield
    finally:
        if nobodys:
            connection.close()


class DatabaseBackend(OutageTolerant, database.DatabaseBackend):  # type: ignore[misc]  # its base has no types
    """`django-db`, with the connections above, and with another attempt while the database is away."""

    def exception_safe_to_retry(self, exc: BaseException) -> bool:
        """Whether another attempt may succeed: with a new connection, once the server is back."""
        retry = isinstance(exc, InterfaceError | OperationalError) and not connection.in_atomic_block
        if retry:
            connection.close()
        return retry

    def _store_result(self, *args: Any, **kwargs: Any) -> Any:
        with usable_connection():
            return super()._store_result(*args, **kwargs)

    def _get_task_meta_for(self, task_id: str) -> dict[str, Any]:
        with usable_connection():
            meta: dict[str, Any] = super()._get_task_meta_for(task_id)
        # Celery's own backends call it so.
        return {**meta, "name": meta.get("task_name")}

    def _forget(self, task_id: str) -> None:
        with usable_connection():
            super()._forget(task_id)

    def on_chord_part_return(self, request: Any, state: str, result: Any, **_: Any) -> None:
        """Send a chord's callback once all its parts have ended, also if some were delivered twice.

        django-celery-results counts deliveries, and drops the callback when they reach the number of parts too early.
        """
        with usable_connection(), transaction.atomic(using=router.db_for_write(database.ChordCounter)):
            counter = database.ChordCounter.objects.select_for_update().filter(group_id=request.group).first()
            if counter is None:
                return  # the callback was sent
            counter.count = max(0, counter.count - 1)  # saves looking at each part before the last
            counter.save(update_fields=["count"])
            parts = counter.group_result(self.app)
            if counter.count == 0 and parts.ready():
                database.trigger_callback(self.app, maybe_signature(request.chord, self.app), parts)
                counter.delete()
