"""A result backend whose outage fails no task: an outcome is stored with retries, or logged as lost."""

from typing import Any

import structlog
from celery import states
{% if plan().features.redis_results %}
from celery.backends import redis
{% elif plan().features.database_results %}
from celery.backends import database
{% endif %}
from celery.exceptions import BackendStoreError

from {{ cookiecutter.project_slug }}.settings import env

STORE_RETRIES = int(env.celery_publish_timeout)
"""Attempts to store an outcome, about one a second; a task waits for them in its process."""

log = structlog.get_logger(__name__)


class OutageTolerant:
    """What a result backend of Celery adds: an outage costs results, but no task.

    Celery treats a state that cannot be stored as a failure of the task, also of one that has not run yet.
    """

    app: Any

    def store_result(
        self, task_id: str, result: Any, state: str, traceback: Any = None, request: Any = None, **options: Any
    ) -> Any:
        """Store the state of a task.

        Raises:
            BackendStoreError: The record is not the state of a task that a worker runs, and cannot be stored.
        """
        store = super().store_result  # type: ignore[misc]  # of the backend
        if request is None:
            return store(task_id, result, state, traceback, request, **options)
        # Neither a task that has not run nor the worker's main process waits.
        waits = state != states.STARTED and self.app.current_worker_task is not None
        options.setdefault("max_retries", STORE_RETRIES if waits else 0)
        try:
            return store(task_id, result, state, traceback, request, **options)
        except BackendStoreError as error:
            if not error.task_id:  # type: ignore[attr-defined]  # Redis refuses a result of more than 512 MB
                raise
            log.error("result lost", task_id=task_id, state=state, error=repr(error.__context__))
            return result
{% if plan().features.redis_results %}


class RedisBackend(OutageTolerant, redis.RedisBackend):
    """Results in Redis."""

    connection_errors: tuple[type[BaseException], ...]
    channel_errors: tuple[type[BaseException], ...]

    def exception_safe_to_retry(self, exc: BaseException) -> bool:
        """Return whether a retry may succeed: also of what Redis refuses while it is full or read-only."""
        return isinstance(exc, (*self.connection_errors, *self.channel_errors))
{% elif plan().features.database_results %}


class DatabaseBackend(OutageTolerant, database.DatabaseBackend):
    """Results in a database."""
{% endif %}
