"""The class of the Celery application."""

from typing import Any

import celery
from celery import maybe_signature
from celery.exceptions import QueueNotFound
from celery.result import AsyncResult
from kombu.utils.functional import maybe_list
{% if plan().features.tracing %}

from {{ cookiecutter.project_slug }} import tracing
{% endif %}


class Celery(celery.Celery):
    """Celery's application, which refuses a message whose callbacks or next steps it could not send later.

    Celery itself checks them when they are due: a task that has run would fail because of the task after it.
    """

    def send_task(
        self, name: str, args: Any = None, kwargs: Any = None, *others: Any, **options: Any
    ) -> AsyncResult[Any]:
        """Send a task, as `celery.Celery.send_task` does.

        Raises:
            QueueNotFound: A callback, the next step of a chain, or the body of a chord names a queue that is not in `queues.py`.
            TypeError: The arguments of one are wrong.
        """
        for step in [*maybe_list(options.get("link") or ()), *(options.get("chain") or ())]:
            self._check(step, None)
        # Some result backends send a task that waits for the parts, with the body as its argument, before the parts.
        if body := args[1] if name == "celery.chord_unlock" else options.get("chord"):
            self._check(body, [])
{% if plan().features.tracing %}
        with tracing.publishing():
            return super().send_task(name, args, kwargs, *others, **options)
{% else %}
        return super().send_task(name, args, kwargs, *others, **options)
{% endif %}

    def _check(self, signature: Any, *results: Any) -> None:
        """Check what will be called with these results, unless it is immutable."""
        step: Any = maybe_signature(signature, app=self)
        given = () if step.immutable else results
        for callback in maybe_list(step.options.get("link") or ()):
            self._check(callback, None)
        kind = step.subtask_type
        if kind == "chain":
            for number, each in enumerate(step.tasks):
                self._check(each, *((None,) if number else given))
        elif kind in {"group", "chord"}:
            for each in getattr(step.tasks, "tasks", step.tasks):  # a chord's may be a group
                self._check(each, *given)
            if kind == "chord":
                self._check(step.body, [])
        else:
            queue = step.options.get("queue")
            if isinstance(queue, str) and queue not in self.amqp.queues:
                example = self.conf.task_default_queue
                raise QueueNotFound(f"{step.task}: queue {queue!r} is not in queues.py; use for example {example!r}")
            task: Any = self.tasks.get(step.task)
            if task is not None and task.typing:
                task.__header__(*given, *step.args, **step.kwargs)
