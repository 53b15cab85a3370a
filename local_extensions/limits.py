"""The time limits and timeouts that are computed from `task_time_limit`, in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The limits that are computed from `task_time_limit`, the hard time limit of a task."""

    task_time_limit: int

    @property
    def soft_time_limit(self) -> int | float:
        """Return the soft time limit: 90% of the hard time limit."""
        return self.task_time_limit * 9 // 10 if self.task_time_limit >= 10 else self.task_time_limit * 9 / 10

    @property
    def sqs_visibility_timeout(self) -> int:
        """Return the visibility timeout on SQS. Workers extend it while a task runs."""
        return 60

    @property
    def consumer_timeout(self) -> int:
        """Return the consumer timeout of RabbitMQ: the limit for the acknowledgement of a message."""
        return self.task_time_limit + 300

    @property
    def warm_shutdown(self) -> int:
        """Return the warm shutdown timeout: the worker requeues unfinished tasks after this time."""
        return min(self.task_time_limit, 600)

    @property
    def stop_grace(self) -> int:
        """Return the grace period between SIGTERM and SIGKILL."""
        return self.warm_shutdown + 20

    @property
    def scale_down_wait(self) -> int:
        """Return the stabilization window before KEDA removes a worker. The maximum in Kubernetes is 3600."""
        return min(self.long_wait, 3600)

    @property
    def long_wait(self) -> int:
        """Return the queue latency above which an alert fires."""
        return max(300, self.task_time_limit)
