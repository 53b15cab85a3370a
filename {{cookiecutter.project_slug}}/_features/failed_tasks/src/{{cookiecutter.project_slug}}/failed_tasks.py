"""Dead letters of tasks that failed permanently, and their replay."""

from datetime import UTC, datetime
from typing import Any

from celery import Task

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.errors import format_traceback
{% if plan().features.redis %}
from {{ cookiecutter.project_slug }}.redis_transport import LOST_WORKERS
{% endif %}


def describe_failure(
    task: Task[Any, Any], task_id: str, exception: Any, args: Any, kwargs: Any
) -> dict[str, Any] | None:
    """Return the dead letter of a failed task; None if it ran eagerly or its dead letter is stored."""
    request = task.request
    # After a hard time limit, this runs in the worker's main process, without the request of the task.
    known = request.id == task_id
    if known and (request.is_eager or request.get("dead_letter_stored")):
        return None
    queue = (request.delivery_info or {}).get("routing_key") if known else None
    queue = queue or app.amqp.router.route({}, task.name)["queue"].name
    options = request.as_execution_options() if known else {"task_id": task_id}
    dead_letter = build_dead_letter(task_id, task.name, queue, args, kwargs, repr(exception), options)
    return dead_letter | {
        "traceback": format_traceback(exception),
        "attempts": request.retries + 1 if known else None,
    }


def build_dead_letter(
    task_id: str, task: str, queue: str, args: Any, kwargs: Any, reason: str, options: dict[str, Any]
) -> dict[str, Any]:
    """Return the dead letter of a task that failed now."""
    return {
        "id": task_id,
        "task": task,
        "queue": queue,
        "args": args,
        "kwargs": kwargs,
        "reason": reason,
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "options": options,
    }


def replay(letter: dict[str, Any]) -> None:
    """Publish a task to its queue again: with the same id, zero retries and no expiry."""
    overrides: dict[str, Any] = {"retries": 0, "expires": None, "queue": letter["queue"]}
{% if plan().features.redis %}
    overrides["headers"] = {**(letter["options"].get("headers") or {}), LOST_WORKERS: 0}
{% endif %}
    app.send_task(letter["task"], letter["args"], letter["kwargs"], **letter["options"] | overrides)
