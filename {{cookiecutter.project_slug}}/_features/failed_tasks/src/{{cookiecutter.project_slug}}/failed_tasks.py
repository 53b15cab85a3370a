"""What is kept of a task that failed for good, so that it can be sent again."""

from datetime import UTC, datetime
from typing import Any

from celery import Task

from {{ cookiecutter.project_slug }}.celery_app import app
{% if plan().features.redis %}
from {{ cookiecutter.project_slug }}.redis_transport import LOST_WORKERS
{% endif %}


def letter_of(task: Task[Any, Any], task_id: str, exception: Any, args: Any, kwargs: Any) -> dict[str, Any] | None:
    """What to keep of a task that failed for good; None if it never was on a queue, or has a dead letter already."""
    request = task.request
    # After a hard time limit we are outside of the task's process, and there is no request.
    known = request.id == task_id
    if known and (request.is_eager or request.get("dead_letter_stored")):
        return None
    queue = (request.delivery_info or {}).get("routing_key") if known else None
    queue = queue or app.amqp.router.route({}, task.name)["queue"].name
    options = request.as_execution_options() if known else {"task_id": task_id}
    return letter(task_id, task.name, queue, args, kwargs, repr(exception), options)


def letter(
    task_id: str, task: str, queue: str, args: Any, kwargs: Any, reason: str, options: dict[str, Any]
) -> dict[str, Any]:
    """What to keep of a task that failed just now."""
    return {
        "id": task_id,
        "task": task,
        "queue": queue,
        "args": args,
        "kwargs": kwargs,
        "reason": reason,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "options": options,
    }


def send_again(letter: dict[str, Any]) -> None:
    """Send a task to its queue again, with its id and all its retries, and without an expiry."""
    again: dict[str, Any] = {"retries": 0, "expires": None, "queue": letter["queue"]}
{% if plan().features.redis %}
    again["headers"] = {**(letter["options"].get("headers") or {}), LOST_WORKERS: 0}
{% endif %}
    app.send_task(letter["task"], letter["args"], letter["kwargs"], **letter["options"] | again)
