"""The backend of Django's tasks framework (Django 6.0 or newer), which runs Django's tasks as Celery tasks.

A function with `@task` is registered as a Celery task with the name of the function, so routes, retries, dead letters,
logs and alerts apply to it. Only `TASKS` in `settings/base.py` refers to this module: older versions do not import it.
https://docs.djangoproject.com/en/stable/topics/tasks/
"""

import functools
import inspect
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
{% if plan().features.results %}
from importlib import import_module
{% endif %}
from typing import Any, ClassVar, ParamSpec, TypeVar

{% if plan().features.results %}
from celery import states
{% endif %}
from django.dispatch import Signal
from django.tasks.backends.base import BaseTaskBackend
from django.tasks.base import DEFAULT_TASK_QUEUE_NAME, Task, TaskContext, TaskError, TaskResult, TaskResultStatus
{% if plan().features.results %}
from django.tasks.exceptions import InvalidTask, TaskResultDoesNotExist
{% else %}
from django.tasks.exceptions import InvalidTask
{% endif %}
from django.tasks.signals import task_enqueued, task_finished, task_started
from django.utils import timezone

{% if plan().features.stop_requests %}
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.stoppable_task import StoppableTask as BaseTask
{% else %}
from {{ cookiecutter.project_slug }}.base_task import BaseTask
from {{ cookiecutter.project_slug }}.celery_app import app
{% endif %}

P = ParamSpec("P")
R = TypeVar("R")

REGISTERED: "dict[str, Task[..., Any]]" = {}
"""The tasks that are registered as Celery tasks, by their names."""
{% if plan().features.results %}

STATUSES = {
    states.PENDING: TaskResultStatus.READY,
    states.RETRY: TaskResultStatus.READY,
    states.SUCCESS: TaskResultStatus.SUCCESSFUL,
    states.FAILURE: TaskResultStatus.FAILED,
    states.REVOKED: TaskResultStatus.FAILED,
}
"""The status in Django of each state in Celery. The task is running in all other states."""
{% endif %}


class RegisteredTask(Task):  # type: ignore[type-arg]  # generic only in django-stubs
    """A task of Django that is registered as a Celery task."""

    def __post_init__(self) -> None:
        """Validate the task, and register it."""
        super().__post_init__()
        register(self)


class CeleryTask(BaseTask):
    """The Celery task of a task of Django. It sends the signals of `django.tasks`."""

    django_task: ClassVar["Task[..., Any]"]

    def before_start(self, task_id: str, args: Any, kwargs: Any) -> None:
        """Send `task_started`, once per attempt."""
        super().before_start(task_id, args, kwargs)
        self.request.update(started_at=timezone.now())
        self._send(task_started, self.describe(TaskResultStatus.RUNNING, task_id, args, kwargs))

    def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
        """Send `task_finished`."""
        super().on_success(retval, task_id, args, kwargs)
        result = self.describe(TaskResultStatus.SUCCESSFUL, task_id, args, kwargs, finished_at=timezone.now())
        object.__setattr__(result, "_return_value", retval)
        self._send(task_finished, result)

    def on_failure(self, exc: BaseException, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        """Send `task_finished` after a permanent failure."""
        super().on_failure(exc, task_id, args, kwargs, einfo)
        errors = [describe_error(exc, str(einfo))]
        failed = TaskResultStatus.FAILED
        self._send(
            task_finished, self.describe(failed, task_id, args, kwargs, finished_at=timezone.now(), errors=errors)
        )

    def describe(
        self, status: TaskResultStatus, task_id: str, args: Iterable[Any], kwargs: Mapping[str, Any], **fields: Any
    ) -> "TaskResult[..., Any]":
        """Return the result of the current run in Django's form."""
        request = self.request
        published, started_at = request.get("sent_at"), request.get("started_at")
        return build_result(
            self.django_task,
            task_id,
            status,
            args,
            kwargs,
            enqueued_at=datetime.fromtimestamp(published, UTC) if published else None,
            started_at=started_at,
            last_attempted_at=started_at,
            worker_ids=[request.hostname] * (request.retries + 1) if request.hostname else [],  # one per attempt
            **fields,
        )

    def _send(self, signal: Signal, result: "TaskResult[..., Any]") -> None:
        """Send a signal. An error of a receiver is logged and does not fail the task."""
        signal.send_robust(CeleryBackend, task_result=result)


class CeleryBackend(BaseTaskBackend):
{% if plan().features.results %}
    """The backend. With the option `store_results`, it stores the results of its tasks in Celery's result backend."""
{% else %}
    """The backend."""
{% endif %}

    task_class = RegisteredTask
    supports_defer = True
    supports_async_task = False  # `async_to_sync` uses a thread, in which the coroutine continues after a time limit
    supports_priority = False  # not all brokers have priorities; use a queue with a separate worker

{% if plan().features.results %}
    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self.supports_get_result = bool(self.options.get("store_results"))

{% endif %}
    def validate_task(self, task: "Task[..., Any]") -> None:
        """Validate a task.

        Raises:
            InvalidTask: The backend does not support the task or one of its options.
        """
        super().validate_task(task)
        if inspect.isgeneratorfunction(task.func) or inspect.isasyncgenfunction(task.func):
            raise InvalidTask(f"{task.module_path} is a generator function: calling it does not run its body.")

    def enqueue(self, task: "Task[P, R]", args: Iterable[Any], kwargs: Mapping[str, Any]) -> "TaskResult[P, R]":
        """Publish a task immediately, also inside a transaction.

        Raises:
            InvalidTask: The task is invalid, or was not defined with a backend of this class.
            TypeError: The arguments are not JSON, or do not match the signature of the function.
            kombu.exceptions.OperationalError: The broker is unavailable.
        """
        self.validate_task(task)
        context = [None] if task.takes_context else []
        inspect.signature(task.func).bind(*context, *args, **kwargs)
        now = timezone.now()
        result = build_result(task, str(uuid.uuid4()), TaskResultStatus.READY, args, kwargs, enqueued_at=now)
        if task.module_path not in REGISTERED:
            raise InvalidTask(f"{task.module_path}: set the backend in @task, not with using(backend=...).")
{% if plan().features.results %}
        if self.supports_get_result:
            record = {"task": task.module_path, "args": result.args, "kwargs": result.kwargs, "at": now.isoformat()}
            app.backend.store_result(record_id(result.id), record, "ENQUEUED")
{% endif %}
        # `default` is also the queue of a task without `queue_name`: the queue of its route, else the first.
        options = {} if task.queue_name == DEFAULT_TASK_QUEUE_NAME else {"queue": task.queue_name}
        celery_task: Any = app.tasks[task.module_path]
        celery_task.apply_async(
            result.args,
            result.kwargs,
            task_id=result.id,
            eta=task.run_after,
            headers={"ignore_result": not self.supports_get_result},
            ignore_result=True,  # otherwise, Celery would subscribe to the result in this process
            **options,
        )
        task_enqueued.send_robust(CeleryBackend, task_result=result)
        return result
{% if plan().features.results %}

    def get_result(self, result_id: str) -> "TaskResult[..., Any]":
        """Return the stored result of a task.

        Raises:
            NotImplementedError: This backend does not store results.
            TaskResultDoesNotExist: The id is unknown, or the result has expired.
        """
        if not self.supports_get_result:
            return super().get_result(result_id)
        record = app.backend.get_task_meta(record_id(result_id), cache=False)["result"]
        if not record:
            raise TaskResultDoesNotExist(result_id)
        import_module(record["task"].rpartition(".")[0])
        meta = app.backend.get_task_meta(result_id, cache=False)
        status = STATUSES.get(meta["status"], TaskResultStatus.RUNNING)
        finished = meta.get("date_done") if meta["status"] in states.READY_STATES else None
        failed = status == TaskResultStatus.FAILED
        result: TaskResult[..., Any] = build_result(
            REGISTERED[record["task"]],
            result_id,
            status,
            record["args"],
            record["kwargs"],
            enqueued_at=datetime.fromisoformat(record["at"]),
            finished_at=datetime.fromisoformat(finished) if isinstance(finished, str) else finished,
            errors=[describe_error(meta["result"], str(meta.get("traceback") or ""))] if failed else [],
            worker_ids=[meta["worker"]] * ((meta.get("retries") or 0) + 1) if meta.get("worker") else [],
        )
        if status == TaskResultStatus.SUCCESSFUL:
            object.__setattr__(result, "_return_value", meta["result"])
        return result
{% endif %}


def register(task: "Task[..., Any]") -> None:
    """Register a task as a Celery task, once: `Task.using` creates further instances."""
    if task.module_path in REGISTERED:
        return
    REGISTERED[task.module_path] = task

    @functools.wraps(task.func)
    def run(self: CeleryTask, *args: Any, **kwargs: Any) -> Any:
        if task.takes_context:
            result = self.describe(TaskResultStatus.RUNNING, str(self.request.id), args, kwargs)
            args = (TaskContext(task_result=result), *args)
        return task.call(*args, **kwargs)

    options: dict[str, Any] = {"bind": True, "shared": False, "typing": False, "django_task": task}
    decorate: Any = app.task(name=task.module_path, base=CeleryTask, **options)
    decorate(run)


def build_result(
    task: "Task[P, R]",
    task_id: str,
    status: TaskResultStatus,
    args: Iterable[Any],
    kwargs: Mapping[str, Any],
    **fields: Any,
) -> "TaskResult[P, R]":
    """Return a result with these fields, and with empty values for the others."""
    fields = dict.fromkeys(("enqueued_at", "started_at", "finished_at", "last_attempted_at")) | fields
    fields = {"errors": [], "worker_ids": [], **fields}
    return TaskResult(
        task=task, id=task_id, status=status, args=list(args), kwargs=dict(kwargs), backend=task.backend, **fields
    )


def describe_error(error: BaseException, traceback: str) -> TaskError:
    """Return an exception in Django's form."""
    kind = type(error)
    return TaskError(exception_class_path=f"{kind.__module__}.{kind.__qualname__}", traceback=traceback)
{% if plan().features.results %}


def record_id(result_id: str) -> str:
    """Return the id of the record of an enqueued task. Celery has no state for a queued task."""
    return f"{result_id}-enqueued"
{% endif %}
