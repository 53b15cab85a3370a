"""Delayed messages on RabbitMQ. Native delayed delivery supports whole seconds only."""

import math
from datetime import datetime, timedelta
from typing import Any

from celery.result import AsyncResult
from celery.utils.time import maybe_make_aware

from {{ cookiecutter.project_slug }} import application


class Celery(application.Celery):
    """An application that converts `countdown` and `eta` for native delayed delivery.

    Celery truncates a delay: 1.9 s become 1 s, and less than 1 s is an error. It also does not declare the queue of a
    delayed message, so RabbitMQ rejects the first delayed message of a new virtual host.
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
        """Publish a task like `celery.Celery.send_task`. A delay is rounded up to whole seconds."""
        if eta is not None:
            due = datetime.fromisoformat(eta) if isinstance(eta, str) else eta
            countdown = (maybe_make_aware(due, self.timezone) - self.now()) / timedelta(seconds=1)
        delay = max(0, math.ceil(countdown or 0))
        if delay:
            route = self.amqp.router.route(dict(options), name, args, kwargs)
            options.setdefault("declare", [route["queue"]])
        return super().send_task(name, args, kwargs, delay or None, **options)
