"""Prometheus metrics of a worker, served at `METRICS_ADDRESS`.

The main process of a worker records the metrics, since Celery reports the end of each task to it, for every pool and
broker. Workers need not send events, and pool processes need not share files. `exporter.py` exports those of the broker.
The alert rules and the dashboard in `deploy/monitoring/` use both.
"""

import time
from collections.abc import Iterable
from functools import partial
from typing import Any

import structlog
from billiard.einfo import ExceptionWithTraceback  # type: ignore[attr-defined]
from celery import Task, signals
from celery.exceptions import Ignore, Retry, Terminated, WorkerLostError
from celery.worker.request import Request
from prometheus_client import Counter, Gauge, Histogram, start_http_server

from {{ cookiecutter.project_slug }}.base_task import BaseTask, measure_queue_time
{% if plan().features.limits %}
from {{ cookiecutter.project_slug }}.limits import LimitExceeded
{% endif %}
from {{ cookiecutter.project_slug }}.settings import env, parse_listen_address
{% if plan().features.task_tracking %}
from {{ cookiecutter.project_slug }}.stoppable_task import TaskCancelled
{% endif %}

BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200)
NEAR_TIME_LIMIT_RATIO = 0.8
"""The fraction of the time limit above which a runtime is near the time limit."""

TASKS = Counter("celery_tasks", "Task runs by outcome.", ["queue", "task", "outcome"])
TASKS_NEAR_TIME_LIMIT = Counter("celery_tasks_near_time_limit", "Task runs near their time limit.", ["queue", "task"])
RUNTIME = Histogram("celery_task_runtime_seconds", "Time from start to end.", ["queue", "task"], buckets=BUCKETS)
LATENCY = Histogram("celery_queue_latency_seconds", "Time from publish or ETA to start.", ["queue"], buckets=BUCKETS)
CONSUMING = Gauge("celery_worker_consuming", "1 if the worker consumes from the queue, else 0.", ["queue"])
CONCURRENCY = Gauge("celery_worker_concurrency", "Maximum number of concurrent tasks.", ["queue"])
TIME_LIMIT = Gauge("celery_task_time_limit_seconds", "Default time limit of tasks; 0 if none.", ["queue"])
STARTED = Gauge("celery_worker_start_timestamp_seconds", "Start time of the worker.", ["queue"])

OUTCOMES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (Retry, "retried"),
{% if plan().features.task_tracking %}
    (TaskCancelled, "revoked"),
{% endif %}
{% if plan().features.limits %}
    (LimitExceeded, "limited"),
{% endif %}
    (Ignore, "ignored"),
    ((WorkerLostError, SystemExit, KeyboardInterrupt), "lost"),  # the process exited
)
INITIAL_OUTCOMES = ("succeeded", "failed", "lost", "expired")
"""Outcomes exported as 0 at startup, since `increase()` does not count the first sample of a series."""

log = structlog.get_logger(__name__)


def serve(address: str) -> None:
    """Serve the metrics of this process at an address `host:port`, unless it is empty.

    If the port is in use, log an error and continue: Prometheus reports that the target is down.
    """
    if not address:
        return
    host, port = parse_listen_address(address)
    try:
        start_http_server(port, host)
    except OSError as error:
        log.error("metrics not served", address=address, error=str(error))


def get_queue(delivery_info: Any) -> str:
    """Return the queue of a message. With delayed delivery on RabbitMQ, the routing key starts with the delay."""
    return str(delivery_info.get("routing_key")).rpartition(".")[2]


class CountedRequest(Request):
    """A task request that records metrics in the main process of a worker."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Count successes. Celery creates a subclass for each task, whose `on_success` does not call the base class."""
        super().__init_subclass__(**kwargs)
        on_success = cls.on_success

        def count_success(self: CountedRequest, outcome: tuple[Any, Any, Any], **options: Any) -> None:
            if not outcome[0]:  # otherwise Celery calls on_failure
                self.count("succeeded")
            on_success(self, outcome, **options)

        cls.on_success = count_success  # type: ignore[assignment, method-assign]

    def on_accepted(self, pid: str, time_accepted: float) -> None:
        """Record the queue latency."""
        super().on_accepted(pid, time_accepted)
        if (seconds := measure_queue_time(self.request_dict)) is not None:
            LATENCY.labels(get_queue(self.delivery_info)).observe(seconds)

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> None:
        """Count the other outcomes. Celery also calls this method for a retry."""
        error = exc_info.exception
        if isinstance(error, ExceptionWithTraceback):
            error = error.exc
        if not isinstance(error, Terminated):  # counted by count_revoked
            self.count(next((outcome for kind, outcome in OUTCOMES if isinstance(error, kind)), "failed"))
        super().on_failure(exc_info, send_failed_event, return_ok)

    def count(self, outcome: str) -> None:
        """Count a run and record its runtime."""
        queue, task = get_queue(self.delivery_info), self.task
        TASKS.labels(queue, task.name, outcome).inc()
{% if plan().features.limits %}
        if self.time_start and outcome != "limited":
{% else %}
        if self.time_start:
{% endif %}
            runtime = max(0, time.time() - self.time_start)
            RUNTIME.labels(queue, task.name).observe(runtime)
            limit = self.time_limits[0] or task.time_limit
            if limit and runtime > NEAR_TIME_LIMIT_RATIO * limit:
                TASKS_NEAR_TIME_LIMIT.labels(queue, task.name).inc()


BaseTask.Request = f"{__name__}:{CountedRequest.__name__}"  # set before the worker receives its first task


@signals.task_revoked.connect
def count_revoked(sender: Task[Any, Any], request: Any, expired: bool, **_: Any) -> None:
    """Count a task that expired or was revoked."""
    TASKS.labels(get_queue(request.delivery_info), sender.name, "expired" if expired else "revoked").inc()


@signals.worker_ready.connect
def export_worker_metrics(sender: Any, **_: Any) -> None:
    """Export and serve the metrics of this worker when it is ready."""
    app = sender.app
    for queue in app.amqp.queues.consume_from:
        STARTED.labels(queue).set_to_current_time()
        CONSUMING.labels(queue).set_function(partial(is_consuming, sender, queue))
        CONCURRENCY.labels(queue).set(sender.controller.concurrency)
        TIME_LIMIT.labels(queue).set(app.conf.task_time_limit or 0)
        LATENCY.labels(queue)
        for task in list_tasks(app, queue):
            RUNTIME.labels(queue, task)
            TASKS_NEAR_TIME_LIMIT.labels(queue, task)
            for outcome in INITIAL_OUTCOMES:
                TASKS.labels(queue, task, outcome)
    serve(env.metrics_address)


def is_consuming(consumer: Any, queue: str) -> bool:
    """Return whether a worker is connected to the broker and consumes from a queue."""
    return bool(consumer.task_consumer and consumer.task_consumer.consuming_from(queue))


def list_tasks(app: Any, queue: str) -> Iterable[str]:
    """Return the names of the tasks that are routed to a queue, without those of Celery."""
    own = (name for name in app.tasks if not name.startswith("celery."))
    return [name for name in own if app.amqp.router.route({}, name, args=(), kwargs={})["queue"].name == queue]
