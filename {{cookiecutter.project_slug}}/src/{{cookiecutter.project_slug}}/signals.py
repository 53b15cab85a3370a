"""What happens around tasks and processes: every signal that this project listens to.

https://docs.celeryq.dev/en/stable/userguide/signals.html
"""

import gc
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from contextvars import Token
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
"""Seconds that a stopping worker lets its tasks finish; its supervisor kills it 20 s later."""

heart = health.Heart()
"""Whether the main loop of this worker turns."""

_stopping = False
_log_contexts: dict[str, Mapping[str, Token[Any]]] = {}


@signals.setup_logging.connect
def configure_logs(**_: Any) -> None:
    """Replace Celery's logging; that this receiver exists keeps Celery from setting up its own."""
    logs.configure()
    if env.log_format == "json":
        # A stopping worker writes plain text to it, which is not JSON.
        sys.__stdout__ = None  # type: ignore[misc]


@signals.celeryd_init.connect
@signals.beat_init.connect
def start_sentry(**_: Any) -> None:
    """Report errors, and beat's jobs as monitors, if `SENTRY_DSN` says where."""
    if env.sentry_dsn:
        # Here, since it takes 4 MB in each worker.
        import sentry_sdk
        from sentry_sdk.integrations.celery import CeleryIntegration
        from sentry_sdk.integrations.logging import ignore_logger

        sentry_sdk.init(
            dsn=env.sentry_dsn,
            environment=env.sentry_environment,
            integrations=[CeleryIntegration(monitor_beat_tasks=True)],
        )
        for module in (base_task, alerts):
            ignore_logger(module.__name__)  # they log failures, which Celery's integration reports


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
    """Exclude what is loaded by now from garbage collections: else each pool process soon has a copy of it.

    A full collection is due when a quarter of the objects is new. Few are left to count now, so it also comes in time
    for the tracebacks of failed tasks, half a megabyte each, which Celery leaves in reference cycles.
    """
    gc.collect()
    gc.freeze()


{% if plan().features.redis_servers %}
@signals.celeryd_init.connect
@signals.beat_init.connect
def check_redis(**_: Any) -> None:
    """Exit with one line if a Redis cannot be used."""
    from {{ cookiecutter.project_slug }}.redis_servers import check_servers  # it needs the application

    check_servers()


{% endif %}
@signals.before_task_publish.connect
def add_headers(headers: dict[str, Any], **_: Any) -> None:
    """Send along the id of the request, or of the first task, that this task goes back to, and the time.

    A retry is sent anew; it has waited since then.
    """
    headers.setdefault("request_id", get_contextvars().get("request_id", headers["id"]))
    headers["sent_at"] = time.time()


{% if plan().features.results %}
@signals.before_task_publish.connect
def keep_results_of_parts(headers: dict[str, Any], body: Any, **_: Any) -> None:
    """Keep the result of each part of a group or chord: who waits for all of them would else wait for ever."""
    _, _, embedded = body
    steps = embedded["chain"] or []  # of a chain whose last step is a part; a failure of the first ends them all
    if headers["group"] or any("chord" in step["options"] for step in steps):
        headers["ignore_result"] = False


{% endif %}
@signals.task_prerun.connect
def bind_log_context(task_id: str, task: Task[Any, Any], **_: Any) -> None:
    """Let each log line of a task say which task it comes from."""
    request_id = task.request.get("request_id", task_id)
    _log_contexts[task_id] = bind_contextvars(task_id=task_id, task_name=task.name, request_id=request_id)


@signals.task_postrun.connect
def report_rejection(task: base_task.BaseTask, task_id: str, state: str, retval: Any, **_: Any) -> None:
    """Treat a task that rejects itself for good as a failure; Celery reports nothing of it."""
    if state == states.REJECTED and not retval.requeue:
        task.on_rejection(retval)
        alert_of_critical(sender=task, task_id=task_id, exception=retval)


@signals.task_postrun.connect
def reset_log_context(task_id: str, **_: Any) -> None:
    """Leave the log context as it was before the task."""
    if tokens := _log_contexts.pop(task_id, None):
        reset_contextvars(**tokens)


@signals.task_failure.connect
def alert_of_critical(sender: Task[Any, Any], task_id: str, exception: BaseException, **_: Any) -> None:
    """Tell people of a critical task that failed for good."""
    if alerts.is_critical(sender):
        alerts.alert(f"{sender.name}[{task_id}] failed: {exception!r}")


@signals.heartbeat_sent.connect
def beat(**_: Any) -> None:
    """Celery's own heartbeat comes from the worker's main loop, every two seconds, however busy its pool is."""
    heart.beat()


@signals.worker_ready.connect
def report_worker_alive(sender: Any, **_: Any) -> None:
    """Tell the supervisor that this worker takes tasks, and from now on that it is alive."""
    heart.excused = lambda: sender.heart is None or _stopping  # Celery has no heart while it is not connected
    heart.beat()
    heart.start()
    health.notify_systemd("READY=1")


@signals.beat_init.connect
def report_beat_alive(sender: Service, **_: Any) -> None:
    """Beat at each tick of the scheduler, whichever it is."""
    tick = sender.scheduler.tick

    def tick_and_report(*args: Any, **kwargs: Any) -> float:
        interval = tick(*args, **kwargs)
        health.show_life()
        return interval

    sender.scheduler.tick = tick_and_report  # type: ignore[method-assign]
    if threading.current_thread() is threading.main_thread():
        # Beat closes its scheduler when it has left the tick. Celery's handlers do so in the middle of what they
        # interrupt: on RabbitMQ that waits for ever.
        signal.signal(signal.SIGTERM, lambda *_: sys.exit())
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # A unique name, so that the doctor finds a second beat.
    sender.hostname = sender.hostname or f"celerybeat-{os.getpid()}@%h"  # type: ignore[attr-defined]
    health.notify_systemd("READY=1")


@signals.worker_shutting_down.connect
def bound_warm_shutdown(how: str, **_: Any) -> None:
    """Requeue what still runs shortly before the supervisor would kill it.

    SIGTERM is a warm shutdown: the worker lets its tasks finish. A task that takes longer than the
    supervisor waits would be killed with the worker, and come back only when its lease or visibility
    timeout has passed. SIGQUIT is a cold shutdown, which gives running tasks back to the broker at once.
    """
    global _stopping
    _stopping = True
    health.notify_systemd("STOPPING=1")
    if how == "Warm":
        # An alarm, since gevent can start no thread inside a signal handler.
        signal.signal(signal.SIGALRM, lambda *_: signal.raise_signal(signal.SIGQUIT))
        signal.alarm(WARM_SHUTDOWN)
