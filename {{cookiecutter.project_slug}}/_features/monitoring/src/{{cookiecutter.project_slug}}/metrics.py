"""What a worker and beat tell Prometheus. Each serves its own numbers where `METRICS_ADDRESS` says.

A worker counts in its main process, where Celery hears how each task ended, whatever its pool and its broker: no
events are sent for that, and nothing is shared between processes. What the broker knows is told by `exporter.py`.
`deploy/monitoring/` uses the names, `tests/test_monitoring.py` holds the two together.
"""

import time
from collections.abc import Iterable
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from billiard.einfo import ExceptionWithTraceback  # type: ignore[attr-defined]
from celery import Task, signals
from celery.beat import ScheduleEntry, Scheduler, Service
from celery.exceptions import Ignore, Reject, Retry, Terminated, WorkerLostError
from celery.schedules import BaseSchedule
from celery.worker.request import Request
from prometheus_client import Counter, Gauge, Histogram, start_http_server

from {{ cookiecutter.project_slug }}.base_task import BaseTask, waited
from {{ cookiecutter.project_slug }}.settings import env

TASKS = Counter("celery_tasks", "Runs that ended, by how they did.", ["queue", "task", "outcome"])
RUNTIME = Histogram(
    "celery_task_runtime_seconds",
    "How long runs took, however they ended.",
    ["queue", "task"],
    buckets={{ plan().limits.runtime_buckets | python(indent=4, used=13) }},
)
WAIT = Histogram(
    "celery_task_wait_seconds",
    "How long tasks had been due when they were started.",
    ["queue"],
    buckets={{ plan().limits.wait_buckets | python(indent=4, used=13) }},
)
CONSUMING = Gauge("celery_worker_consuming", "1 while this worker takes tasks from the queue.", ["queue"])
STARTED = Gauge("celery_worker_start_timestamp_seconds", "When this worker started.", ["queue"])
TICK = Gauge("celery_beat_last_tick_timestamp_seconds", "When beat last looked at its schedule.")
JOB_DUE = Gauge("celery_beat_job_due_timestamp_seconds", "When beat has to send the job next.", ["entry"])

OUTCOMES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], str], ...] = (
    (Retry, "retried"),
    (Reject, "rejected"),
    (Ignore, "ignored"),
    ((WorkerLostError, SystemExit, KeyboardInterrupt), "lost"),  # the process died
)
ALWAYS_SHOWN = ("succeeded", "failed", "lost", "expired")
"""Outcomes that are shown as 0 before they occur: Prometheus sees no increase from nothing to 1."""

log = structlog.get_logger(__name__)


def serve(address: str) -> None:
    """Serve this process's metrics at `host:port`; nothing happens for "".

    A worker goes on with its work if it cannot: it is missed, and Prometheus says so.
    """
    if not address:
        return
    host, _, port = address.rpartition(":")
    try:
        start_http_server(int(port), host.strip("[]"))
    except OSError as error:
        log.error("metrics are not served", address=address, error=str(error))


class CountedRequest(Request):
    """What a worker's main process knows of a task that it has taken."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Count successes: Celery derives a class for each task, whose `on_success` does not ask its base."""
        super().__init_subclass__(**kwargs)
        on_success = cls.on_success

        def counted(self: CountedRequest, outcome: tuple[Any, Any, Any], **options: Any) -> None:
            if not outcome[0]:  # else it goes on to on_failure
                self.count("succeeded")
            on_success(self, outcome, **options)

        cls.on_success = counted  # type: ignore[assignment, method-assign]

    @property
    def queue(self) -> str:
        """The queue that it came from; RabbitMQ puts a delay before its name."""
        return str(self.delivery_info.get("routing_key")).rpartition(".")[2]

    def on_accepted(self, pid: str, time_accepted: float) -> None:
        """Note how long it has waited."""
        super().on_accepted(pid, time_accepted)
        if (seconds := waited(self.request_dict)) is not None:
            WAIT.labels(self.queue).observe(seconds)

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> None:
        """Count an end that is no success; Celery calls this for a retry, too."""
        error = exc_info.exception
        if isinstance(error, ExceptionWithTraceback):
            error = error.exc
        if not isinstance(error, Terminated):  # that is a revoked task
            self.count(next((outcome for kind, outcome in OUTCOMES if isinstance(error, kind)), "failed"))
        super().on_failure(exc_info, send_failed_event, return_ok)

    def count(self, outcome: str) -> None:
        """Count a run that has ended."""
        TASKS.labels(self.queue, self.task.name, outcome).inc()
        if self.time_start:
            RUNTIME.labels(self.queue, self.task.name).observe(max(0, time.time() - self.time_start))


BaseTask.Request = f"{__name__}:{CountedRequest.__name__}"  # before the worker has its first task


@signals.task_revoked.connect
def count_revoked(sender: Task[Any, Any], request: Any, expired: bool, **_: Any) -> None:
    """Count a task that was not run: no worker took it in time, or somebody has revoked it."""
    queue = str(request.delivery_info.get("routing_key")).rpartition(".")[2]
    TASKS.labels(queue, sender.name, "expired" if expired else "revoked").inc()


@signals.worker_ready.connect
def watch_worker(sender: Any, **_: Any) -> None:
    """Serve the metrics of this worker, from now on and with all that may come."""
    app = sender.app
    for queue in app.amqp.queues.consume_from:
        STARTED.labels(queue).set_to_current_time()
        CONSUMING.labels(queue).set_function(partial(consumes, sender, queue))
        WAIT.labels(queue)
        for task in tasks_of(app, queue):
            RUNTIME.labels(queue, task)
            for outcome in ALWAYS_SHOWN:
                TASKS.labels(queue, task, outcome)
    serve(env.metrics_address)


def consumes(consumer: Any, queue: str) -> bool:
    """Whether a worker takes tasks from a queue: it is connected, and nobody has told it not to."""
    return bool(consumer.task_consumer and consumer.task_consumer.consuming_from(queue))


def tasks_of(app: Any, queue: str) -> Iterable[str]:
    """The tasks of this project that are routed to a queue."""
    own = (name for name in app.tasks if not name.startswith("celery."))
    return [name for name in own if app.amqp.router.route({}, name, args=(), kwargs={})["queue"].name == queue]


@signals.beat_init.connect
def watch_beat(sender: Service, **_: Any) -> None:
    """Serve the metrics of beat, whichever its scheduler is."""
    watch_scheduler(sender.scheduler)
    serve(env.metrics_address)


def watch_scheduler(scheduler: Scheduler) -> None:
    """Note each tick, and when each job is due: first by its last run, then whenever it was sent."""
    tick, apply_async = scheduler.tick, scheduler.apply_async
    jobs = scheduler.app.conf.beat_schedule
    known = scheduler.schedule  # RedBeat shows only what is due now
    for name, job in jobs.items():
        entry = known.get(name)
        if entry and entry.schedule and entry.last_run_at:
            JOB_DUE.labels(name).set(due(entry.schedule, entry.last_run_at))
        else:
            JOB_DUE.labels(name).set(due(job["schedule"], scheduler.app.now()))

    def noted_tick(*args: Any, **kwargs: Any) -> float:
        interval = tick(*args, **kwargs)
        TICK.set_to_current_time()
        return interval

    def noted_apply_async(entry: ScheduleEntry, *args: Any, **kwargs: Any) -> Any:
        result = apply_async(entry, *args, **kwargs)  # raises if it was not sent
        if entry.name in jobs and entry.schedule:  # others are in nobody's rules
            JOB_DUE.labels(entry.name).set(due(entry.schedule, entry.default_now()))
        return result

    scheduler.tick = noted_tick  # type: ignore[method-assign]
    scheduler.apply_async = noted_apply_async  # type: ignore[method-assign]


def due(schedule: BaseSchedule, last_run_at: datetime) -> float:
    """When a job has to be sent that was sent last at this time, as a timestamp."""
    return time.time() + schedule.remaining_estimate(last_run_at).total_seconds()
