"""The base class of all tasks: retries, failures and log lines."""

import inspect
import time
from datetime import datetime
from typing import Any

import structlog
{% if plan().features.limits and plan().features.results and not plan().features.django %}
from celery import Task, states
{% elif plan().features.limits and plan().features.results %}
from celery import states
{% elif not plan().features.django %}
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
{% if plan().features.outbox or plan().features.limits %}
from celery.result import AsyncResult
{% endif %}
{% if plan().features.limits %}
from celery.utils import uuid
{% endif %}
from kombu.exceptions import EncodeError
{% if plan().features.outbox_sqlalchemy %}
from sqlalchemy.orm import Session
{% endif %}

{% if plan().features.limits %}
from {{ cookiecutter.project_slug }} import limits
{% endif %}
from {{ cookiecutter.project_slug }}.errors import PermanentError, RetryableError
{% if plan().features.redis %}
from {{ cookiecutter.project_slug }}.redis_transport import LOST_WITH, LOST_WORKERS
{% endif %}

PERMANENT_PUBLISH_ERRORS = (EncodeError, QueueNotFound, TypeError, ValueError)
"""Errors of a publish that the broker did not cause. A retry would raise them again."""

REQUEUE_DELAY = 5.0
"""Seconds before a task is requeued. Without this delay, a broker that rejects at once redelivers it in a tight loop."""

{% if plan().features.redis %}
MAX_LOST_WORKERS = 10
"""Workers that may be lost while they hold a task, before it fails."""

{% endif %}
log = structlog.get_logger(__name__)


{% if plan().features.django %}
class BaseTask(DjangoTask[Any, Any]):
{% else %}
class BaseTask(Task[Any, Any]):
{% endif %}
    """A task with the defaults of this project, for which Celery has task attributes instead of settings.

    `RetryableError` retries the task. It fails permanently after the last retry, or if it raises another exception.
    """

    autoretry_for = (RetryableError,)  # only transient errors: a retry does not fix a bug
    max_retries = 3  # also limits the runs of a task that kills its process
    retry_backoff = 2  # seconds before the first retry; each further retry doubles them
    retry_backoff_max = 600  # seconds
    retry_jitter = True  # spreads the retries of tasks that failed at the same time
    default_retry_delay = 5  # seconds before a retry without backoff; Celery's default is three minutes
    throws = (PermanentError,)  # expected errors, which Celery and Sentry do not report as bugs

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Reject coroutine and generator functions: calling one succeeds without running its body.

        Raises:
            TypeError: The task is an `async def` function, or its function contains `yield`.
        """
        super().__init_subclass__(**kwargs)
        function: Any = getattr(cls, "_decorated_fun", cls.run)  # with `pydantic=True`, `run` is a wrapper
        kinds = (inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction)
        if any(is_kind(function) for is_kind in kinds):
            raise TypeError(
                f"{cls.__module__}.{cls.__name__} cannot be a task: Celery does not run coroutines and generators. "
                "Define it with `def`, for example: def send(): asyncio.run(send_async())"
            )

    def retry(self, args: Any = None, kwargs: Any = None, exc: Any = None, *others: Any, **options: Any) -> Retry:
        """Retry the task like `celery.Task.retry`, which silently rejects the task if it cannot publish the retry.

        Raises:
            Reject: The broker did not accept the retry. The task is requeued.
            Exception: The retry cannot be published, for example because an argument is not JSON. The task fails.
        """
        try:
            return super().retry(args, kwargs, exc, *others, **options)
        except Reject as rejection:
            error: Any = rejection.args[0]
        if exc is not None:
            error.__cause__ = exc  # shows the reason of the retry in logs and Sentry
        if isinstance(error, PERMANENT_PUBLISH_ERRORS):
            raise error
        raise self._requeue("retry not published, task requeued", error)
{% if plan().features.outbox_sqlalchemy %}

    def delay_in_transaction(self, session: Session, *args: Any, **kwargs: Any) -> AsyncResult[Any]:
        """Store the task in the outbox, in the transaction of a session. After the commit, a relay publishes it."""
        return self.apply_async_in_transaction(session, args, kwargs)

    def apply_async_in_transaction(
        self, session: Session, args: Any = None, kwargs: dict[str, Any] | None = None, **options: Any
    ) -> AsyncResult[Any]:
        """Store the task in the outbox like `delay_in_transaction`, with the options of `apply_async`.

        Raises:
            QueueNotFound, TypeError: The task cannot be published; see `outbox.messages.store`.
        """
        # Not at the top: it imports the application, which imports this module.
        from {{ cookiecutter.project_slug }}.outbox.messages import store

        return store(session, self, args or (), kwargs or {}, options)
{% elif plan().features.outbox_django %}

    def delay_in_transaction(self, *args: Any, **kwargs: Any) -> AsyncResult[Any]:
        """Store the task in the outbox, in the current database transaction. After the commit, a relay publishes it."""
        return self.apply_async_in_transaction(args, kwargs)

    def apply_async_in_transaction(
        self, args: Any = None, kwargs: dict[str, Any] | None = None, **options: Any
    ) -> AsyncResult[Any]:
        """Store the task in the outbox like `delay_in_transaction`, with the options of `apply_async`.

        Raises:
            QueueNotFound, TypeError: The task cannot be published; see `outbox.messages.store`.
        """
        # Not at the top: it imports models.
        from {{ cookiecutter.project_slug }}.outbox.messages import store

        return store(self, args or (), kwargs or {}, options)
{% endif %}
{% if plan().features.limits %}

    def apply_async(
        self, args: Any = None, kwargs: Any = None, task_id: str | None = None, *others: Any, **options: Any
    ) -> AsyncResult[Any]:
        """Publish the task like `celery.Task.apply_async`. If it is a duplicate, return the result of the first task.

        Raises:
            OperationalError: The task is unique, and Redis is unreachable.
            TypeError: The task is unique, and has a callback or is part of a workflow.
        """
        rule = limits.get_unique(self)
        is_first_publish = not options.get("retries") and limits.REPUBLISHED not in (options.get("headers") or {})
        if not rule or not is_first_publish or self.app.conf.task_always_eager:
            return super().apply_async(args, kwargs, task_id, *others, **options)
        limits.check_workflow(self, options)
        task_id = task_id or uuid()
        with limits.claim(self, rule, args, kwargs, task_id) as first_id:
            if first_id != task_id:
                log.info("duplicate not published", task_name=self.name, task_id=first_id)
                return self.AsyncResult(first_id)
            return super().apply_async(args, kwargs, task_id, *others, **options)

    def reschedule(self, delay: float) -> limits.LimitExceeded:
        """Publish the task again with a delay in seconds, without a retry; return the exception that ends this run.

        Raises:
            Reject: The broker did not accept the message. The task is requeued.
        """
        request = self.request
{% if plan().features.results %}
        if not get_actual_ignore_result(self, request):
            # Before publishing, which may start the next run. Celery has stored STARTED.
            self.backend.store_result(str(request.id), {"task": self.name}, states.PENDING, request=request)
{% endif %}
        headers = {**(request.headers or {}), limits.REPUBLISHED: True}
        signature = self.signature_from_request(request, countdown=delay, headers=headers)
        try:
            signature.apply_async()
        except PERMANENT_PUBLISH_ERRORS:
            raise
        except Exception as error:  # of the broker
            raise self._requeue("task not rescheduled, task requeued", error) from error
        return limits.LimitExceeded()
{% endif %}
{% if plan().features.results %}

    def update_state(
        self, task_id: str | None = None, state: str | None = None, meta: dict[str, Any] | None = None, **options: Any
    ) -> None:
        """Store a state like `celery.Task.update_state`, unless the result is ignored: the state would never be deleted."""
        request = self.request
        if task_id not in {None, request.id} or not get_actual_ignore_result(self, request):
            super().update_state(task_id, state, meta, **options)
        elif not request.get("state_ignored"):  # log once per run
            request.update(state_ignored=True)
            log.warning("state not stored", state=state, hint="use @shared_task(ignore_result=False)")
{% endif %}
{% if plan().features.failed_tasks %}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the task. If it fails in a worker, store its dead letter before the message is acknowledged.

        Raises:
            Reject: The dead letter cannot be stored. The task is requeued.
        """
        request = self.request
        if request.is_eager:
            return self.run(*args, **kwargs)
        if request.called_directly or request.get("body_started"):  # a task that calls itself
            return super().__call__(*args, **kwargs)
        request.update(body_started=True)
        try:
{% if plan().features.redis %}
            if (lost := request.get(LOST_WORKERS, 0)) >= MAX_LOST_WORKERS:
                others = request.get(LOST_WITH)
                suspects = f", each time together with {', '.join(others)}" if others else ""
                raise WorkerLostError(f"{lost} workers were lost while they held the task{suspects}")
{% endif %}
            return self.run(*args, **kwargs)
        except (Ignore, Reject, Retry):
            raise
        except Exception as failure:
            # Not at the top: a circular import.
            from {{ cookiecutter.project_slug }}.dead_letter_store import store_dead_letter

            try:
                store_dead_letter(self, str(request.id), failure, args, kwargs)
            except Exception as error:
                self._log_error("task failed", failure)
                raise self._requeue("dead letter not stored, task requeued", error) from failure
            request.update(dead_letter_stored=True)
            raise
{% endif %}

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        """Log the start: at INFO if the task was redelivered, because its previous run logged no end."""
        request = self.request
        request.update(started=time.monotonic())
{% if plan().features.limits %}
        if delay := limits.acquire(self, args, kwargs):
            raise self.reschedule(delay)
{% endif %}
        log_start = log.info if (request.delivery_info or {}).get("redelivered") else log.debug
        log_start("task started", retries=request.retries, queue_seconds=measure_queue_time(request))

    def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
        """Log the success."""
        log.info(
            "task succeeded",
            retries=self.request.retries,
            queue_seconds=measure_queue_time(self.request),
            duration_seconds=self._measure_duration(),
        )

    def on_retry(self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Log the reason of a retry."""
        duration = self._measure_duration()
        log.warning("task retrying", error=repr(exc), retries=self.request.retries, duration_seconds=duration)

    def on_failure(self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Log a permanent failure, with a traceback unless the error is in `throws`."""
        # With the ids: after a hard time limit, this runs outside of the task's process, without its log context.
        ids = {"task_id": task_id, "task_name": self.name}
        self._log_error("task failed", exc, exc_info=None if isinstance(exc, self.throws) else exc, **ids)

    def on_rejection(self, exc: Reject) -> None:
        """Log and report a task that rejected itself without requeueing."""
        self._log_error("task rejected", exc)
        report_to_sentry(exc)

    def _requeue(self, event: str, error: Any) -> Reject:
        """Log and report the reason of requeueing the task; return the exception to raise."""
        self._log_error(event, error)
        report_to_sentry(error)
        time.sleep(REQUEUE_DELAY)
        return Reject(repr(error), requeue=True)  # its repr, because some errors cannot be pickled

    def _log_error(self, event: str, error: BaseException, **values: Any) -> None:
        """Log an error that ended a run, with its traceback unless `values` sets another `exc_info`."""
        values = {"exc_info": error, **values}
        log.error(event, error=repr(error), duration_seconds=self._measure_duration(), **values)

    def _measure_duration(self) -> float | None:
        """Return the runtime so far in seconds, rounded to milliseconds; None if it is unknown."""
        started = self.request.get("started")
        return round(time.monotonic() - started, 3) if started else None


def report_to_sentry(error: Any) -> None:
    """Report an error to Sentry, whose Celery integration does not report `Reject`."""
    import sentry_sdk  # not at the top: 4 MB of memory in each worker without Sentry

    sentry_sdk.capture_exception(error)


def measure_queue_time(headers: Any) -> float | None:
    """Return the seconds since a task was published, or since its ETA, from its headers; None if they lack the time."""
    since: float | None = headers.get("sent_at")
    if since is None:
        return None
    if eta := headers.get("eta"):
        since = max(since, datetime.fromisoformat(eta).timestamp())
    return max(0.0, round(time.time() - since, 3))
