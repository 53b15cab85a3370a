"""Storing a task in the outbox, and publishing it."""

from datetime import UTC, datetime, timedelta
from typing import Any

from celery import uuid
from celery.result import AsyncResult
from kombu.utils.json import dumps, loads
{% if plan().features.tracing %}
from opentelemetry import propagate
{% endif %}
{% if plan().features.outbox_sqlalchemy %}
from sqlalchemy.orm import Session
{% endif %}
from structlog.contextvars import get_contextvars

{% if plan().features.tracing %}
from {{ cookiecutter.project_slug }} import tracing
{% endif %}
from {{ cookiecutter.project_slug }}.celery_app import app
{% if plan().features.outbox_django %}
from {{ cookiecutter.project_slug }}.outbox.models import OutboxMessage
{% elif plan().features.outbox_sqlalchemy %}
from {{ cookiecutter.project_slug }}.outbox.models import OutboxMessage, create_table
{% endif %}


{% if plan().features.outbox_django %}
def store(task: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> AsyncResult[Any]:
    """Store a task with the options of `apply_async`, and return its future result.
{% elif plan().features.outbox_sqlalchemy %}
def store(session: Session, task: Any, args: Any, kwargs: Any, options: dict[str, Any]) -> AsyncResult[Any]:
    """Add a task with the options of `apply_async` to a session, and return its future result.
{% endif %}

    Raises:
        QueueNotFound: The queue is not in `queues.py`.
        TypeError: The arguments do not match the signature of the task, or cannot be encoded as JSON.
    """
    if task.typing:
        task.__header__(*args, **kwargs)
    app.amqp.router.route(dict(options), task.name, args, kwargs)
    now = datetime.now(UTC)
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
    encoded = {"args": dumps(args), "kwargs": dumps(kwargs), "options": dumps(options)}
{% if plan().features.outbox_django %}
    OutboxMessage.objects.create(task=task.name, task_id=task_id, **encoded)
{% elif plan().features.outbox_sqlalchemy %}
    create_table()
    session.add(OutboxMessage(task=task.name, task_id=task_id, **encoded))
{% endif %}
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
