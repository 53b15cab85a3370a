"""The class of every task of this project."""

from typing import Any

from {{ plan().framework.task_module }} import {{ plan().framework.task_class }}
from celery.utils.time import maybe_make_aware


class BaseTask({{ plan().framework.task_class }}[Any, Any]):
    """Defaults that Celery knows as attributes of a task, not as settings."""

    max_retries = 3  # holds for a task that kills its process, too
    default_retry_delay = 5  # seconds; Celery's own default is three minutes

    def apply_async(self, *args: Any, **options: Any) -> Any:
        """Send the task, as `celery.Task.apply_async` does.

        Raises:
            ValueError: `countdown` or `eta` is further away than the broker lets a worker hold a message.
                It would take the worker for lost and hand the task out again, so that it runs several times.
        """
        delay = options.get("countdown") or 0.0
        if eta := options.get("eta"):
            delay = (maybe_make_aware(eta, self.app.timezone) - self.app.now()).total_seconds()
        conf = self.app.conf
        visibility_timeout = conf.broker_transport_options.get("visibility_timeout")
        if visibility_timeout and delay > (longest := visibility_timeout - conf.task_time_limit):
            raise ValueError(
                f"{self.name} is due in {delay:.0f} s, but this broker can hold a task back for {longest} s at most:"
                " raise visibility_timeout, or let a beat job look for what is due"
            )
        return super().apply_async(*args, **options)
