"""Where results are kept: in django-celery-results' tables, by any thread, whatever becomes of the database's server."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import django
from celery import current_task
from django.apps import apps
from django.db import InterfaceError, OperationalError, close_old_connections, connection

if not apps.ready:
    django.setup()  # in a script that does nothing but send tasks, and in Celery's commands

from django_celery_results.backends import DatabaseBackend as DjangoCeleryResults

from {{ cookiecutter.project_slug }}.result_store import OutageTolerant


@contextmanager
def usable_connection() -> Iterator[None]:
    """A connection that works, and that is closed afterwards if nobody else does.

    Django does after its requests, and Celery after its tasks; but `submissions.py` has threads of its own.
    """
    close_old_connections()
    nobodys = connection.connection is None and not current_task
    try:
        yield
    finally:
        if nobodys:
            connection.close()


class DatabaseBackend(OutageTolerant, DjangoCeleryResults):  # type: ignore[misc]  # its base has no types
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
