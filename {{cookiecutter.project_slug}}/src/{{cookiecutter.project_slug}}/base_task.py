"""The class of every task of this project: what becomes of its failures, and what is logged of it."""

import time
from datetime import datetime
from typing import Any

import structlog
{% if plan().features.django %}
from celery.contrib.django.task import DjangoTask
{% else %}
from celery import Task
{% endif %}
{% if plan().features.visibility_timeout %}
from celery.utils.time import maybe_make_aware
{% endif %}

from {{ cookiecutter.project_slug }}.errors import PermanentError, RetryableError

log = structlog.get_logger(__name__)


{% if plan().features.django %}
class BaseTask(DjangoTask[Any, Any]):
{% else %}
class BaseTask(Task[Any, Any]):
{% endif %}
    """Defaults that Celery knows as attributes of a task, not as settings.

    A task that raises `RetryableError` is retried. When its retries have run out, or when it raises anything
    else, it has failed for good.
    """

    autoretry_for = (RetryableError,)  # nothing else: to repeat a mistake does not mend it
    max_retries = 3  # holds for a task that kills its process, too
    retry_backoff = 2  # seconds before the first retry, doubled each time
    retry_backoff_max = 600  # seconds at most
    retry_jitter = True  # so that a thousand tasks that failed together do not return together
    default_retry_delay = 5  # seconds, of a retry without backoff; Celery's own default is three minutes
    throws = (PermanentError,)  # expected: Celery and Sentry do not report it as a bug
{% if plan().features.visibility_timeout %}

    def apply_async(self, *args: Any, **options: Any) -> Any:
        """Send the task, as `celery.Task.apply_async` does.

        Raises:
            ValueError: `countdown` or `eta` is further away than the broker lets a worker hold a message.
                It would take the worker for lost and hand the task out again, so that it runs several times.
        """
        delay = options.get("countdown") or 0.0
        if eta := options.get("eta"):
            delay = (maybe_make_aware(eta, self.app.timezone) - self.app.now()).total_seconds()
        conf = self.app.conf
        visibility_timeout = conf.broker_transport_options.get("visibility_timeout")
        if visibility_timeout and delay > (longest := visibility_timeout - conf.task_time_limit):
            raise ValueError(
                f"{self.name} is due in {delay:.0f} s, but this broker can hold a task back for {longest} s at most:"
                " raise visibility_timeout, or let a beat job look for what is due"
            )
        return super().apply_async(*args, **options)
{% endif %}

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        """Log the start; the ids are on every line of a task (see `signals.py`)."""
        self.request.update(started=time.monotonic())
        log.info("task started", retries=self.request.retries, waited=waited(self.request))

    def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
        """Log the success."""
        log.info("task succeeded", seconds=self._seconds())

    def on_retry(self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Log why the task is retried."""
        log.warning("task is retried", error=repr(exc), retries=self.request.retries, seconds=self._seconds())

    def on_failure(self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Log a failure for good, with a traceback unless it was expected."""
        unexpected = None if isinstance(exc, self.throws) else exc
        # With its ids, since a hard time limit brings us here outside of the task's process.
        ids = {"task_id": task_id, "task_name": self.name}
        log.error("task failed", error=repr(exc), seconds=self._seconds(), exc_info=unexpected, **ids)

    def _seconds(self) -> float | None:
        """How long the task has run, to the millisecond; None where that is not known."""
        started = self.request.get("started")
        return round(time.monotonic() - started, 3) if started else None


def waited(headers: Any) -> float | None:
    """How long a task has waited since it was sent or due, by its message's headers, in seconds; None if unknown."""
    since: float | None = headers.get("sent_at")
    if since is None:
        return None
    if eta := headers.get("eta"):
        since = max(since, datetime.fromisoformat(eta).timestamp())
    return max(0.0, round(time.time() - since, 3))
