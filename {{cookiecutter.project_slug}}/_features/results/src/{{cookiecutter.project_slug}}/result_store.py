"""A result backend whose outage does not fail tasks. A result is stored with retries, or logged as lost."""

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
"""Retries when storing a result, about one per second. The task's process waits for them."""

log = structlog.get_logger(__name__)


class OutageTolerant:
    """A mixin for Celery's result backends: an outage loses results, but does not fail tasks.

    If a state cannot be stored, Celery fails the task, even before its run.
    """

    app: Any

    def store_result(
        self, task_id: str, result: Any, state: str, traceback: Any = None, request: Any = None, **options: Any
    ) -> Any:
        """Store the state of a task.

        Raises:
            BackendStoreError: The result is too large, or does not come from a worker's task and cannot be stored.
        """
        store = super().store_result  # type: ignore[misc]  # the backend's method
        if request is None:
            return store(task_id, result, state, traceback, request, **options)
        # Neither the start of a task nor the worker's main process waits.
        waits = state != states.STARTED and self.app.current_worker_task is not None
        options.setdefault("max_retries", STORE_RETRIES if waits else 0)
        try:
            return store(task_id, result, state, traceback, request, **options)
        except BackendStoreError as error:
            if not error.task_id:  # type: ignore[attr-defined]  # too large: Redis rejects more than 512 MB
                raise
            log.error("result lost", task_id=task_id, state=state, error=repr(error.__context__))
            return result
{% if plan().features.redis_results %}


class RedisBackend(OutageTolerant, redis.RedisBackend):
    """Results in Redis."""

    connection_errors: tuple[type[BaseException], ...]
    channel_errors: tuple[type[BaseException], ...]

    def exception_safe_to_retry(self, exc: BaseException) -> bool:
        """Return whether a retry may succeed, which includes errors of a full or read-only Redis."""
        return isinstance(exc, (*self.connection_errors, *self.channel_errors))
{% elif plan().features.database_results %}


class DatabaseBackend(OutageTolerant, database.DatabaseBackend):
    """Results in a database."""
{% endif %}
