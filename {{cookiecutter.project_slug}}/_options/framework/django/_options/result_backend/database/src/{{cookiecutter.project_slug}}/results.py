"""Where results are kept: django-celery-results' tables, asked so that a restart of the database is outlasted."""

from typing import Any

from django.db import InterfaceError, OperationalError, close_old_connections, connection
from django_celery_results.backends import DatabaseBackend as DjangoCeleryResults


class DatabaseBackend(DjangoCeleryResults):  # type: ignore[misc]  # its base has no types
    """`django-db`, but for any thread and any fault of the database's server.

    Django looks after the connections of its requests and Celery after those of its tasks; nobody does in other
    threads, such as those of `submissions.py`.
    """

    def exception_safe_to_retry(self, exc: BaseException) -> bool:
        """Whether another attempt may succeed: with a new connection, once the server is back."""
        retry = isinstance(exc, InterfaceError | OperationalError) and not connection.in_atomic_block
        if retry:
            connection.close()
        return retry

    def _store_result(self, *args: Any, **kwargs: Any) -> Any:
        close_old_connections()
        return super()._store_result(*args, **kwargs)

    def _get_task_meta_for(self, task_id: str) -> dict[str, Any]:
        close_old_connections()
        meta: dict[str, Any] = super()._get_task_meta_for(task_id)
        # Celery's own backends call it so.
        return {**meta, "name": meta.get("task_name")}
