"""The class of every task of this project: what becomes of its failures, and what is logged of it."""

import inspect
import time
from datetime import datetime
from typing import Any

import structlog
{% if not plan().features.django %}
from celery import Task
{% endif %}
{% if plan().features.results %}
from celery.app.task import get_actual_ignore_result  # type: ignore[attr-defined]
{% endif %}
{% if plan().features.django %}
from celery.contrib.django.task import DjangoTask
{% endif %}
{% if plan().features.redis %}
from celery.exceptions import Ignore, QueueNotFound, Reject, Retry, WorkerLostError
{% elif plan().features.sqs %}
from celery.exceptions import Ignore, QueueNotFound, Reject, Retry
{% elif plan().features.rabbitmq %}
from celery.exceptions import QueueNotFound, Reject, Retry
{% endif %}
from kombu.exceptions import EncodeError

from {{ cookiecutter.project_slug }}.errors import PermanentError, RetryableError
{% if plan().features.redis %}
from {{ cookiecutter.project_slug }}.redis_transport import LOST_WITH, LOST_WORKERS
{% endif %}

UNSENDABLE = (EncodeError, QueueNotFound, TypeError, ValueError)
"""Errors of a publish that are not the broker's: another attempt would raise them again."""

REQUEUE_PAUSE = 5.0
"""Seconds before a task is requeued: a broker that refuses at once would else redeliver it in a tight loop."""

{% if plan().features.redis %}
MOST_LOST_WORKERS = 10
"""Workers that a task may take with it, or be held by when they are killed, before it fails."""

{% endif %}
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

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Refuse a task whose call only creates a coroutine or a generator: it would succeed without having run.

        Raises:
            TypeError: The task is an `async def` function, or its function contains `yield`.
        """
        super().__init_subclass__(**kwargs)
        body: Any = getattr(cls, "_decorated_fun", cls.run)  # with `pydantic=True`, `run` is a wrapper
        if inspect.iscoroutinefunction(body) or inspect.isasyncgenfunction(body) or inspect.isgeneratorfunction(body):
            raise TypeError(
                f"{cls.__module__}.{cls.__name__} cannot be a task: Celery does not run coroutines and generators. "
                "Define it with `def`, for example: def send(): asyncio.run(send_async())"
            )

    def retry(self, args: Any = None, kwargs: Any = None, exc: Any = None, *others: Any, **options: Any) -> Retry:
        """Retry the task, as `celery.Task.retry` does, which rejects it silently if the retry cannot be published.

        Raises:
            Reject: The broker did not accept the retry. The task is requeued.
            Exception: The retry cannot be published at all, for example because an argument is not JSON. The task fails.
        """
        try:
            return super().retry(args, kwargs, exc, *others, **options)
        except Reject as rejection:
            error: Any = rejection.args[0]
        if exc is not None:
            error.__cause__ = exc  # so that logs and Sentry show why it was retried
        if isinstance(error, UNSENDABLE):
            raise error
        raise self._requeue("retry not published, task requeued", error)
{% if plan().features.results %}

    def update_state(
        self, task_id: str | None = None, state: str | None = None, meta: dict[str, Any] | None = None, **options: Any
    ) -> None:
        """Store a state, as `celery.Task.update_state` does, unless the result is ignored: the state would stay for ever."""
        request = self.request
        if task_id not in {None, request.id} or not get_actual_ignore_result(self, request):
            super().update_state(task_id, state, meta, **options)
        elif not request.get("state_ignored"):  # once a run
            request.update(state_ignored=True)
            log.warning("state not stored: the task needs @shared_task(ignore_result=False)", state=state)
{% endif %}
{% if plan().features.failed_tasks %}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task. A worker stores the dead letter of a failure before it acknowledges the message.

        Raises:
            Reject: The dead letter cannot be stored. The task is requeued.
        """
        request = self.request
        if request.is_eager:
            return self.run(*args, **kwargs)
        if request.called_directly or request.get("body_started"):  # a task may call itself
            return super().__call__(*args, **kwargs)
        request.update(body_started=True)
        try:
{% if plan().features.redis %}
            if (lost := request.get(LOST_WORKERS, 0)) >= MOST_LOST_WORKERS:
                others = request.get(LOST_WITH)
                beside = f", and each time {', '.join(others)}" if others else ""
                raise WorkerLostError(f"{lost} workers were lost while they held the task{beside}")
{% endif %}
            return self.run(*args, **kwargs)
        except (Ignore, Reject, Retry):
            raise
        except Exception as failure:
            # Imported late: it needs the application, which needs this class.
            from {{ cookiecutter.project_slug }}.dead_letter_store import store_dead_letter

            try:
                store_dead_letter(self, str(request.id), failure, args, kwargs)
            except Exception as error:
                log.error("task failed", error=repr(failure), seconds=self._seconds(), exc_info=failure)
                raise self._requeue("dead letter not stored, task requeued", error) from failure
            request.update(dead_letter_stored=True)
            raise
{% endif %}

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        """Log the start of a redelivered task, which its worker was lost with; else the line of its end is enough."""
        self.request.update(started=time.monotonic())
        redelivered = (self.request.delivery_info or {}).get("redelivered")
        write = log.info if redelivered else log.debug
        write("task started", retries=self.request.retries, waited=waited(self.request))

    def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
        """Log the success."""
        request = self.request
        log.info("task succeeded", retries=request.retries, waited=waited(request), seconds=self._seconds())

    def on_retry(self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Log why the task is retried."""
        log.warning("task is retried", error=repr(exc), retries=self.request.retries, seconds=self._seconds())

    def on_failure(self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Log a failure for good, with a traceback unless it was expected."""
        unexpected = None if isinstance(exc, self.throws) else exc
        # With its ids, since a hard time limit brings us here outside of the task's process.
        ids = {"task_id": task_id, "task_name": self.name}
        log.error("task failed", error=repr(exc), seconds=self._seconds(), exc_info=unexpected, **ids)

    def on_rejection(self, exc: Reject) -> None:
        """Log and report why a task rejected itself for good."""
        log.error("task rejected", error=repr(exc), seconds=self._seconds(), exc_info=exc)
        report_to_sentry(exc)

    def _requeue(self, event: str, error: Any) -> Reject:
        """Log and report why the task is requeued; return what to raise."""
        log.error(event, error=repr(error), seconds=self._seconds(), exc_info=error)
        report_to_sentry(error)
        time.sleep(REQUEUE_PAUSE)
        return Reject(repr(error), requeue=True)  # its repr, since not every error can be pickled

    def _seconds(self) -> float | None:
        """How long the task has run, to the millisecond; None where that is not known."""
        started = self.request.get("started")
        return round(time.monotonic() - started, 3) if started else None


def report_to_sentry(error: Any) -> None:
    """Report an error to Sentry, whose integration for Celery does not report a `Reject`."""
    import sentry_sdk  # here, since it takes 4 MB in each worker

    sentry_sdk.capture_exception(error)


def waited(headers: Any) -> float | None:
    """How long a task has waited since it was sent or due, by its message's headers, in seconds; None if unknown."""
    since: float | None = headers.get("sent_at")
    if since is None:
        return None
    if eta := headers.get("eta"):
        since = max(since, datetime.fromisoformat(eta).timestamp())
    return max(0.0, round(time.time() - since, 3))
