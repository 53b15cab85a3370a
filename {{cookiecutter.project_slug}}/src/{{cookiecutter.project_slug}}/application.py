"""The class of the Celery application."""

from typing import Any

import celery
from celery import maybe_signature
from celery.exceptions import QueueNotFound
from celery.result import AsyncResult
from kombu.utils.functional import maybe_list
{% if plan().features.limits and plan().features.tracing %}

from {{ cookiecutter.project_slug }} import limits, tracing
{% elif plan().features.limits %}

from {{ cookiecutter.project_slug }} import limits
{% elif plan().features.tracing %}

from {{ cookiecutter.project_slug }} import tracing
{% endif %}


class Celery(celery.Celery):
    """A Celery application that validates callbacks and the next steps of a workflow when a message is published.

    Celery validates a next step only when it publishes it: a task that succeeded would fail because of its next step.
    """

    def send_task(
        self, name: str, args: Any = None, kwargs: Any = None, *others: Any, **options: Any
    ) -> AsyncResult[Any]:
        """Publish a task like `celery.Celery.send_task`.

        Raises:
            QueueNotFound: A callback, a later step of a chain, or the body of a chord has a queue that is not in `queues.py`.
            TypeError: The arguments of one of these do not match its signature.
        """
        for step in [*maybe_list(options.get("link") or ()), *(options.get("chain") or ())]:
            self._validate(step, None)
        # Some result backends first publish a task that waits for the header tasks. The body is its second argument.
        if body := args[1] if name == "celery.chord_unlock" else options.get("chord"):
            self._validate(body, [])
{% if plan().features.tracing %}
        with tracing.publishing():
            return super().send_task(name, args, kwargs, *others, **options)
{% else %}
        return super().send_task(name, args, kwargs, *others, **options)
{% endif %}

    def _validate(self, signature: Any, *results: Any) -> None:
        """Validate a signature that is called with these results, or without them if it is immutable."""
        step: Any = maybe_signature(signature, app=self)
        given = () if step.immutable else results
        for callback in maybe_list(step.options.get("link") or ()):
            self._validate(callback, None)
        kind = step.subtask_type
        if kind == "chain":
            for number, member in enumerate(step.tasks):
                self._validate(member, *((None,) if number else given))
        elif kind in {"group", "chord"}:
            for member in getattr(step.tasks, "tasks", step.tasks):  # the header of a chord can be a group
                self._validate(member, *given)
            if kind == "chord":
                self._validate(step.body, [])
        else:
            queue = step.options.get("queue")
            if isinstance(queue, str) and queue not in self.amqp.queues:
                example = self.conf.task_default_queue
                raise QueueNotFound(f"{step.task}: queue {queue!r} is not in queues.py. Example: {example!r}")
            task: Any = self.tasks.get(step.task)
{% if plan().features.limits %}
            limits.check_workflow(task, step.options, is_step=True)
{% endif %}
            if task is not None and task.typing:
                task.__header__(*given, *step.args, **step.kwargs)
