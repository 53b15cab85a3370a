"""Delayed messages on RabbitMQ, which delays them by whole seconds."""

import math
from datetime import datetime, timedelta
from typing import Any

from celery.result import AsyncResult
from celery.utils.time import maybe_make_aware

from {{ cookiecutter.project_slug }} import application


class Celery(application.Celery):
    """Celery's application, with `countdown` and `eta` that native delayed delivery accepts.

    Celery itself truncates them: 1.9 s become 1 s, and less than 1 s is an error. And it declares nothing for a
    delayed message, so that RabbitMQ refuses the first one of a fresh virtual host.
    """

    def send_task(  # type: ignore[override]  # the other parameters are Celery's
        self,
        name: str,
        args: Any = None,
        kwargs: Any = None,
        countdown: float | None = None,
        eta: datetime | str | None = None,
        **options: Any,
    ) -> AsyncResult[Any]:
        """Send a task, as `celery.Celery.send_task` does; a delay is rounded up to whole seconds."""
        if eta is not None:
            due = datetime.fromisoformat(eta) if isinstance(eta, str) else eta
            countdown = (maybe_make_aware(due, self.timezone) - self.now()) / timedelta(seconds=1)
        delay = max(0, math.ceil(countdown or 0))
        if delay:
            route = self.amqp.router.route(dict(options), name, args, kwargs)
            options.setdefault("declare", [route["queue"]])
        return super().send_task(name, args, kwargs, delay or None, **options)
