"""The result backend: django-celery-results, with retries during a database outage, and usable in any thread."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django
from celery import current_task, maybe_signature
from django.apps import apps
from django.db import InterfaceError, OperationalError, close_old_connections, connection, router, transaction

if not apps.ready:
    django.setup()  # in Celery's commands, and in scripts that only publish tasks

from django_celery_results.backends import database

from {{ cookiecutter.project_slug }}.result_store import OutageTolerant


@contextmanager
def open_connection() -> Iterator[None]:
    """Ensure a usable connection, and close it afterwards unless Django or Celery does.

    Django closes connections after a request, and Celery after a task, but not in the threads of `submissions.py`.
    """
    if connection.in_atomic_block:
        yield  # closing the connection would end the transaction
        return
    close_old_connections()
    close_after = connection.connection is None and not current_task
    try:
        yield
    finally:
        if close_after:
            connection.close()


class DatabaseBackend(OutageTolerant, database.DatabaseBackend):  # type: ignore[misc]  # its base has no types
    """`django-db` with usable connections, and with retries while the database is unavailable."""

    def exception_safe_to_retry(self, exc: BaseException) -> bool:
        """Return whether a retry with a new connection may succeed."""
        retry = isinstance(exc, InterfaceError | OperationalError) and not connection.in_atomic_block
        if retry:
            connection.close()
        return retry

    def _store_result(self, *args: Any, **kwargs: Any) -> Any:
        with open_connection():
            return super()._store_result(*args, **kwargs)

    def _get_task_meta_for(self, task_id: str) -> dict[str, Any]:
        with open_connection():
            meta: dict[str, Any] = super()._get_task_meta_for(task_id)
        # The key in Celery's own backends.
        return {**meta, "name": meta.get("task_name")}

    def _forget(self, task_id: str) -> None:
        with open_connection():
            super()._forget(task_id)

    def on_chord_part_return(self, request: Any, state: str, result: Any, **_: Any) -> None:
        """Publish the body of a chord after all header tasks have ended, even if some were delivered twice.

        django-celery-results counts deliveries, and drops the body if redeliveries complete the count too early.
        """
        with open_connection(), transaction.atomic(using=router.db_for_write(database.ChordCounter)):
            counter = database.ChordCounter.objects.select_for_update().filter(group_id=request.group).first()
            if counter is None:
                return  # the body was published
            counter.count = max(0, counter.count - 1)  # saves reading the results before the last task
            counter.save(update_fields=["count"])
            results = counter.group_result(self.app)
            if counter.count == 0 and results.ready():
                database.trigger_callback(self.app, maybe_signature(request.chord, self.app), results)
                counter.delete()
