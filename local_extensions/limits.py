"""The times that follow from the longest run of a task, all in seconds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The limits that follow from `task_time_limit`, the longest run of a task."""

    task_time_limit: int

    @property
    def soft_time_limit(self) -> int | float:
        """When a task gets SoftTimeLimitExceeded."""
        return self.task_time_limit * 9 // 10 if self.task_time_limit >= 10 else self.task_time_limit * 9 / 10

    @property
    def sqs_visibility_timeout(self) -> int:
        """When SQS redelivers a message whose worker no longer extends its visibility."""
        return 60

    @property
    def consumer_timeout(self) -> int:
        """When RabbitMQ closes the channel of a consumer that did not acknowledge a message."""
        return self.task_time_limit + 300

    @property
    def warm_shutdown(self) -> int:
        """How long a stopping worker lets tasks finish before it requeues them."""
        return min(self.task_time_limit, 600)

    @property
    def stop_grace(self) -> int:
        """How long a supervisor waits for a worker to stop before it sends SIGKILL."""
        return self.warm_shutdown + 20

    @property
    def scale_down_wait(self) -> int:
        """How long a queue must be short before KEDA removes a worker: Kubernetes allows an hour at most."""
        return min(self.long_wait, 3600)

    @property
    def long_wait(self) -> int:
        """The wait time above which an alert fires."""
        return max(300, self.task_time_limit)
