"""Storing a task in the outbox, and publishing it."""

from datetime import timedelta
from typing import Any

from celery import uuid
from celery.result import AsyncResult
from django.utils import timezone
from kombu.utils.json import dumps, loads
{% if plan().features.tracing %}
from opentelemetry import propagate
{% endif %}
from structlog.contextvars import get_contextvars

{% if plan().features.tracing %}
from {{ cookiecutter.project_slug }} import tracing
{% endif %}
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.outbox.models import OutboxMessage


def store(task: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> AsyncResult[Any]:
    """Store a task with the options of `apply_async`, and return its future result.

    Raises:
        QueueNotFound: The queue is not in `queues.py`.
        TypeError: The arguments do not match the signature of the task, or cannot be encoded as JSON.
    """
    if task.typing:
        task.__header__(*args, **kwargs)
    app.amqp.router.route(dict(options), task.name, args, kwargs)
    now = timezone.now()
    if (countdown := options.pop("countdown", None)) is not None:
        options["eta"] = now + timedelta(seconds=countdown)
    if isinstance(options.get("expires"), (int, float)):
        options["expires"] = now + timedelta(seconds=options["expires"])
    task_id = options.pop("task_id", None) or uuid()
    headers = {"request_id": get_contextvars().get("request_id", task_id)}
{% if plan().features.tracing %}
    propagate.inject(headers)
{% endif %}
    options["headers"] = headers | (options.get("headers") or {})
    if parent := app.current_worker_task:
        options.setdefault("parent_id", parent.request.id)
        options.setdefault("root_id", parent.request.root_id or parent.request.id)
    OutboxMessage.objects.create(
        task=task.name, task_id=task_id, args=dumps(args), kwargs=dumps(kwargs), options=dumps(options)
    )
    result: AsyncResult[Any] = task.AsyncResult(task_id)
    return result


def publish(message: OutboxMessage) -> None:
    """Publish a task with its stored id and options.

    Raises:
        NotRegistered: This release does not contain the task.
        Exception: The broker did not accept the message.
    """
    args, kwargs, options = loads(message.args), loads(message.kwargs), loads(message.options)
{% if plan().features.tracing %}
    with tracing.continuing(options.get("headers", {})):
        app.tasks[message.task].apply_async(args, kwargs, task_id=message.task_id, **options)
{% else %}
    app.tasks[message.task].apply_async(args, kwargs, task_id=message.task_id, **options)
{% endif %}
