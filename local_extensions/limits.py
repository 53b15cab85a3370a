"""The times that follow from the longest run of a task, all in seconds."""

from __future__ import annotations

from dataclasses import dataclass

HISTOGRAM_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400)
"""Upper bounds. A histogram uses those that are below its own last bounds."""


@dataclass(frozen=True)
class Limits:
    """The limits that follow from `task_time_limit`, the longest run of a task."""

    task_time_limit: int

    @property
    def soft_time_limit(self) -> int | float:
        """When a task gets SoftTimeLimitExceeded."""
        return self.task_time_limit * 9 // 10 if self.task_time_limit >= 10 else self.task_time_limit * 9 / 10

    @property
    def longest_delay(self) -> int:
        """The longest countdown, ETA or backoff of a task: SQS delays no message longer."""
        return 900

    @property
    def visibility_timeout(self) -> int:
        """When Redis or SQS redelivers a message that was not acknowledged."""
        return self.task_time_limit + self.longest_delay + 60

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

    @property
    def near_time_limit(self) -> int | float:
        """The runtime above which an alert fires: four fifths of the time limit."""
        seconds = self.task_time_limit * 8 / 10
        return int(seconds) if seconds.is_integer() else seconds

    @property
    def runtime_buckets(self) -> tuple[float, ...]:
        """The upper bounds of the histogram of runtimes."""
        return histogram_buckets(float(self.near_time_limit), float(self.task_time_limit))

    @property
    def wait_buckets(self) -> tuple[float, ...]:
        """The upper bounds of the histogram of wait times."""
        return histogram_buckets(self.long_wait, 4 * self.long_wait)


def histogram_buckets(*last: float) -> tuple[float, ...]:
    """Return the upper bounds of a histogram that ends with these."""
    return (*(bound for bound in HISTOGRAM_BUCKETS if bound < min(last)), *last)
