"""The signal receivers.

https://docs.celeryq.dev/en/stable/userguide/signals.html
"""

import gc
import os
import signal
import sys
import threading
import time
from typing import Any

from celery import Task, signals, states
from celery.beat import Service
from structlog.contextvars import bind_contextvars, get_contextvars, reset_contextvars

{% if plan().features.tracing %}
from {{ cookiecutter.project_slug }} import alerts, base_task, health, logs, tracing
{% else %}
from {{ cookiecutter.project_slug }} import alerts, base_task, health, logs
{% endif %}
from {{ cookiecutter.project_slug }}.settings import env

WARM_SHUTDOWN = {{ plan().limits.warm_shutdown }}
"""Seconds that tasks have to finish during a warm shutdown. The supervisor kills the worker 20 s later."""

heartbeat = health.HeartbeatThread()
"""The thread that reports to the supervisor that this worker is alive."""

_stopping = False


@signals.setup_logging.connect
def configure_logs(**_: Any) -> None:
    """Configure logging. With a receiver of this signal, Celery does not configure its own."""
    logs.configure()
    if env.log_format == "json":
        # Celery writes plain text to it during a shutdown.
        sys.__stdout__ = None  # type: ignore[misc]


@signals.celeryd_init.connect
@signals.beat_init.connect
def start_sentry(**_: Any) -> None:
    """Report errors, and periodic tasks as monitors, to Sentry if `SENTRY_DSN` is set."""
    if env.sentry_dsn:
        # Not at the top: 4 MB of memory in each worker without Sentry.
        import sentry_sdk
        from sentry_sdk.integrations.celery import CeleryIntegration
        from sentry_sdk.integrations.logging import ignore_logger

        sentry_sdk.init(
            dsn=env.sentry_dsn,
            environment=env.sentry_environment,
            integrations=[CeleryIntegration(monitor_beat_tasks=True)],
        )
        for module in (base_task, alerts):
            ignore_logger(module.__name__)  # they log failures that Celery's integration reports


{% if plan().features.tracing %}
@signals.celeryd_init.connect
@signals.beat_init.connect
def start_tracing(**_: Any) -> None:
    """Start tracing before the worker starts its pool."""
    tracing.configure()


@signals.worker_process_shutdown.connect
def flush_spans(**_: Any) -> None:
    """Export the last spans of a pool process, for example when it is replaced because of its memory."""
    tracing.flush()


{% endif %}
@signals.worker_init.connect
def freeze_memory(**_: Any) -> None:
    """Exclude the objects that exist now from garbage collection, which would copy their memory into each pool process.

    A full collection starts when a quarter of the objects is new. Without the frozen objects, it starts early enough to
    delete the tracebacks of failed tasks, half a megabyte each, which Celery leaves in reference cycles.
    """
    gc.collect()
    gc.freeze()


{% if plan().features.redis_servers %}
@signals.celeryd_init.connect
@signals.beat_init.connect
def check_redis(**_: Any) -> None:
    """Exit with a one-line error if a Redis server cannot be used."""
    from {{ cookiecutter.project_slug }}.redis_servers import check_servers  # not at the top: a circular import

    check_servers()


{% endif %}
@signals.before_task_publish.connect
def add_headers(headers: dict[str, Any], **_: Any) -> None:
    """Add the id of the originating request, or of the first task, and the time of publishing.

    A retry is published again and gets a new time.
    """
    headers.setdefault("request_id", get_contextvars().get("request_id", headers["id"]))
    headers["sent_at"] = time.time()


{% if plan().features.results %}
@signals.before_task_publish.connect
def store_results_of_members(headers: dict[str, Any], body: Any, **_: Any) -> None:
    """Store the result of each member of a group or chord: without one of them, their caller waits forever."""
    _, _, embedded = body
    # A chain whose last step is a member: the failure of an earlier step fails the member.
    steps = embedded["chain"] or []
    if headers["group"] or any("chord" in step["options"] for step in steps):
        headers["ignore_result"] = False


{% endif %}
@signals.task_prerun.connect
def bind_log_context(task_id: str, task: Task[Any, Any], **_: Any) -> None:
    """Add the ids of the task to its log lines."""
    request_id = task.request.get("request_id", task_id)
    tokens = bind_contextvars(task_id=task_id, task_name=task.name, request_id=request_id)
    task.request.update(log_context=tokens)  # two threads may run the same task id, for example a retry without delay


@signals.task_postrun.connect
def report_rejection(task: base_task.BaseTask, task_id: str, state: str, retval: Any, **_: Any) -> None:
    """Report a task that rejects itself without requeueing as a failure. Celery does not report it."""
    if state == states.REJECTED and not retval.requeue:
        task.on_rejection(retval)
        alert_on_critical_failure(sender=task, task_id=task_id, exception=retval)


@signals.task_postrun.connect
def reset_log_context(task: Task[Any, Any], **_: Any) -> None:
    """Restore the log context from before the task."""
    reset_contextvars(**task.request.get("log_context", {}))


@signals.task_failure.connect
def alert_on_critical_failure(sender: Task[Any, Any], task_id: str, exception: BaseException, **_: Any) -> None:
    """Send an alert if the task that failed permanently is critical."""
    if alerts.is_critical(sender):
        alerts.send_alert(f"{sender.name}[{task_id}] failed: {exception!r}")


@signals.heartbeat_sent.connect
def record_heartbeat(**_: Any) -> None:
    """Record Celery's heartbeat, which the main loop sends every two seconds, also while the pool is busy."""
    heartbeat.record_heartbeat()


@signals.worker_ready.connect
def report_worker_alive(sender: Any, **_: Any) -> None:
    """Report to the supervisor that this worker consumes tasks, and from now on that it is alive."""
    heartbeat.is_exempt = lambda: sender.heart is None or _stopping  # heart is None while Celery is not connected
    heartbeat.record_heartbeat()
    heartbeat.start()
    health.notify_systemd("READY=1")


@signals.beat_init.connect
def report_beat_alive(sender: Service, **_: Any) -> None:
    """Report beat as alive at each tick of its scheduler, and make its shutdown safe."""
    tick = sender.scheduler.tick

    def tick_and_report(*args: Any, **kwargs: Any) -> float:
        interval = tick(*args, **kwargs)
        health.report_alive()
        return interval

    sender.scheduler.tick = tick_and_report  # type: ignore[method-assign]
    if threading.current_thread() is threading.main_thread():
        # Close the scheduler after the tick. Celery's signal handlers close it within the interrupted code, which waits
        # forever on RabbitMQ.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # A unique name, by which the doctor detects a second beat.
    sender.hostname = sender.hostname or f"celerybeat-{os.getpid()}@%h"  # type: ignore[attr-defined]
    health.notify_systemd("READY=1")


@signals.worker_shutting_down.connect
def limit_warm_shutdown(how: str, **_: Any) -> None:
    """Start a cold shutdown `WARM_SHUTDOWN` seconds after the start of a warm shutdown.

    SIGTERM starts a warm shutdown, in which running tasks finish. If the supervisor killed the worker after its grace
    period, the broker would redeliver them only after the lease or visibility timeout. SIGQUIT starts a cold
    shutdown, which requeues running tasks.
    """
    global _stopping
    _stopping = True
    health.notify_systemd("STOPPING=1")
    if how == "Warm":
        # An alarm, because gevent cannot start a thread inside a signal handler.
        signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGQUIT))
        signal.alarm(WARM_SHUTDOWN)
