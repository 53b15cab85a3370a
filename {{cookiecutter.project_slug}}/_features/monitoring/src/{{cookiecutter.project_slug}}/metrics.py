"""Prometheus metrics of a worker, served at `METRICS_ADDRESS`.

A worker counts in its main process, where Celery reports the end of each task, whatever the pool and the broker. So workers
need not send events, and processes share no files. `exporter.py` has the metrics of the broker. The rules and the dashboard
in `deploy/monitoring/` use them.
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
from {{ cookiecutter.project_slug }}.settings import env, parse_listen_address
{% if plan().features.task_tracking %}
from {{ cookiecutter.project_slug }}.stoppable_task import TaskCancelled
{% endif %}

BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400, 43200)
NEAR_TIME_LIMIT = 0.8
"""The share of its time limit from which a run counts as near it."""

TASKS = Counter("celery_tasks", "Task runs that ended, by outcome.", ["queue", "task", "outcome"])
SLOW_TASKS = Counter("celery_tasks_near_time_limit", "Task runs near or at their time limit.", ["queue", "task"])
RUNTIME = Histogram("celery_task_runtime_seconds", "Time from start to end.", ["queue", "task"], buckets=BUCKETS)
LATENCY = Histogram("celery_queue_latency_seconds", "Time from publish or ETA to start.", ["queue"], buckets=BUCKETS)
CONSUMING = Gauge("celery_worker_consuming", "1 while this worker consumes from the queue.", ["queue"])
CONCURRENCY = Gauge("celery_worker_concurrency", "Tasks that this worker runs at a time.", ["queue"])
TIME_LIMIT = Gauge("celery_task_time_limit_seconds", "Time limit of tasks without their own; 0 if none.", ["queue"])
STARTED = Gauge("celery_worker_start_timestamp_seconds", "When this worker started.", ["queue"])

OUTCOMES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (Retry, "retried"),
{% if plan().features.task_tracking %}
    (TaskCancelled, "revoked"),
{% endif %}
    (Ignore, "ignored"),
    ((WorkerLostError, SystemExit, KeyboardInterrupt), "lost"),  # the process died
)
INITIALIZED = ("succeeded", "failed", "lost", "expired")
"""Outcomes that are exported as 0 from the start: `increase()` does not see a series that begins at 1."""

log = structlog.get_logger(__name__)


def serve(address: str) -> None:
    """Serve this process's metrics at `host:port`, or not at all for an empty address.

    A worker whose port is taken logs an error and continues: Prometheus reports the missing target.
    """
    if not address:
        return
    host, port = parse_listen_address(address)
    try:
        start_http_server(port, host)
    except OSError as error:
        log.error("metrics not served", address=address, error=str(error))


def queue_of(delivery_info: Any) -> str:
    """Return the queue that a message came from; RabbitMQ's delayed delivery puts the delay before its name."""
    return str(delivery_info.get("routing_key")).rpartition(".")[2]


class CountedRequest(Request):
    """A task in a worker's main process."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Count successes: Celery derives a class for each task, whose `on_success` does not call its base."""
        super().__init_subclass__(**kwargs)
        on_success = cls.on_success

        def counted(self: CountedRequest, outcome: tuple[Any, Any, Any], **options: Any) -> None:
            if not outcome[0]:  # else Celery calls on_failure
                self.count("succeeded")
            on_success(self, outcome, **options)

        cls.on_success = counted  # type: ignore[assignment, method-assign]

    def on_accepted(self, pid: str, time_accepted: float) -> None:
        """Observe the latency."""
        super().on_accepted(pid, time_accepted)
        if (seconds := measure_queue_time(self.request_dict)) is not None:
            LATENCY.labels(queue_of(self.delivery_info)).observe(seconds)

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> None:
        """Count each other end; Celery calls this for a retry, too."""
        error = exc_info.exception
        if isinstance(error, ExceptionWithTraceback):
            error = error.exc
        if not isinstance(error, Terminated):  # Celery sends task_revoked for it
            self.count(next((outcome for kind, outcome in OUTCOMES if isinstance(error, kind)), "failed"))
        super().on_failure(exc_info, send_failed_event, return_ok)

    def count(self, outcome: str) -> None:
        """Count a run that has ended, and observe its runtime."""
        queue, task = queue_of(self.delivery_info), self.task
        TASKS.labels(queue, task.name, outcome).inc()
        if self.time_start:
            runtime = max(0, time.time() - self.time_start)
            RUNTIME.labels(queue, task.name).observe(runtime)
            limit = self.time_limits[0] or task.time_limit
            if limit and runtime > NEAR_TIME_LIMIT * limit:
                SLOW_TASKS.labels(queue, task.name).inc()


BaseTask.Request = f"{__name__}:{CountedRequest.__name__}"  # before the worker receives its first task


@signals.task_revoked.connect
def count_revoked(sender: Task[Any, Any], request: Any, expired: bool, **_: Any) -> None:
    """Count a task that did not run, since it had expired or was revoked."""
    TASKS.labels(queue_of(request.delivery_info), sender.name, "expired" if expired else "revoked").inc()


@signals.worker_ready.connect
def export_worker(sender: Any, **_: Any) -> None:
    """Export and serve the metrics of this worker."""
    app = sender.app
    for queue in app.amqp.queues.consume_from:
        STARTED.labels(queue).set_to_current_time()
        CONSUMING.labels(queue).set_function(partial(consumes, sender, queue))
        CONCURRENCY.labels(queue).set(sender.controller.concurrency)
        TIME_LIMIT.labels(queue).set(app.conf.task_time_limit or 0)
        LATENCY.labels(queue)
        for task in tasks_of(app, queue):
            RUNTIME.labels(queue, task)
            SLOW_TASKS.labels(queue, task)
            for outcome in INITIALIZED:
                TASKS.labels(queue, task, outcome)
    serve(env.metrics_address)


def consumes(consumer: Any, queue: str) -> bool:
    """Return whether a worker consumes from a queue: it is connected, and the queue was not cancelled."""
    return bool(consumer.task_consumer and consumer.task_consumer.consuming_from(queue))


def tasks_of(app: Any, queue: str) -> Iterable[str]:
    """Return the names of this project's tasks that are routed to a queue."""
    own = (name for name in app.tasks if not name.startswith("celery."))
    return [name for name in own if app.amqp.router.route({}, name, args=(), kwargs={})["queue"].name == queue]
