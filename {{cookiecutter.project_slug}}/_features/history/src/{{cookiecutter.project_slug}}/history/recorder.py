"""The recording of runs in the main process of a worker, to which Celery reports the end of each run.

A task never waits for the database: a thread stores the runs once per second, on a separate connection. This process
also sees the end of a run whose pool process was killed.
"""

import inspect
import json
import threading
import time
from collections import deque
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from itertools import takewhile
from typing import Any

import structlog
from billiard.einfo import ExceptionWithTraceback  # type: ignore[attr-defined]
from celery import Task, signals
from celery.exceptions import Ignore, Reject, Retry, Terminated, WorkerLostError
{% if not plan().features.monitoring %}
from celery.worker.request import Request
{% endif %}

from {{ cookiecutter.project_slug }}.base_task import BaseTask
from {{ cookiecutter.project_slug }}.history import store
from {{ cookiecutter.project_slug }}.history.runs import Outcome, RecordedRun
{% if plan().features.limits %}
from {{ cookiecutter.project_slug }}.limits import LimitExceeded
{% endif %}
{% if plan().features.monitoring %}
from {{ cookiecutter.project_slug }}.metrics import CountedRequest as Request
{% endif %}
from {{ cookiecutter.project_slug }}.settings import env
{% if plan().features.stop_requests %}
from {{ cookiecutter.project_slug }}.stoppable_task import TaskCancelled
{% endif %}

INTERVAL = 1.0
"""Seconds between two writes."""

BATCH_SIZE = 500
"""The maximum number of runs in a statement."""

MAX_WAITING = 10_000
"""The maximum number of runs in memory, for example during an outage of the database. Further runs are dropped."""

CLEANUP_INTERVAL = 3600.0
"""Seconds between two deletions of old runs by a worker. The first is at its start."""

MAX_TEXT = 2000
"""The maximum number of characters of the arguments, and of the error."""

MAX_VALUES = 200
"""The maximum number of values in the arguments. Further values are omitted."""

REDACTED = "[redacted]"
REDACTED_WORDS = tuple(filter(None, (word.strip().lower() for word in env.history_redacted_arguments.split(","))))

OUTCOMES: tuple[tuple[type[BaseException] | tuple[type[BaseException], ...], Outcome], ...] = (
    (Retry, "retried"),
    (Reject, "rejected"),
{% if plan().features.stop_requests %}
    (TaskCancelled, "revoked"),
{% endif %}
    (Ignore, "ignored"),
    ((WorkerLostError, SystemExit, KeyboardInterrupt), "lost"),  # the process exited
)

{% if plan().features.limits %}
NOT_RECORDED = (Terminated, LimitExceeded)
"""Exceptions of a run that `record_revoked` records, and of a task that did not run because of a limit."""
{% else %}
NOT_RECORDED = (Terminated,)
"""Exceptions of a run that `record_revoked` records."""
{% endif %}

log = structlog.get_logger(__name__)


class Writer:
    """A thread that stores runs, and deletes old ones."""

    def __init__(self) -> None:
        self._waiting: deque[RecordedRun] = deque()
        self._batch: list[RecordedRun] = []
        self._dropped = 0
        self._failing = False
        self._next_cleanup = 0.0
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def add(self, run: RecordedRun) -> None:
        """Store a run with the next write."""
        if len(self._waiting) < MAX_WAITING:
            self._waiting.append(run)
        else:
            self._dropped += 1

    def start(self) -> None:
        """Start the thread."""
        self._thread = threading.Thread(target=self._run, name="history", daemon=True)
        self._thread.start()

    def stop(self, timeout: float) -> None:
        """Store the last runs, and stop the thread. Wait at most this number of seconds."""
        if self._thread is None:
            return
        self._stopping.set()
        self._thread.join(timeout)
        if lost := len(self._waiting) + len(self._batch) + self._dropped:
            log.warning("runs not recorded", number=lost)

    def write(self) -> None:
        """Store the waiting runs, and delete old ones if this is due. An outage is logged once."""
        try:
            while self._batch or self._waiting:
                while self._waiting and len(self._batch) < BATCH_SIZE:
                    self._batch.append(self._waiting.popleft())
                store.insert_runs(self._batch)
                self._batch = []
            if time.monotonic() >= self._next_cleanup:
                before = datetime.now(UTC) - timedelta(days=env.history_max_age_days)
                interval = INTERVAL if store.delete_runs(before) else CLEANUP_INTERVAL  # it deletes a part
                self._next_cleanup = time.monotonic() + interval
        except Exception as error:
            if not isinstance(error, store.OUTAGES):  # a retry would fail again
                self._dropped += len(self._batch)
                self._batch = []
            if not self._failing:
                log.error("history not stored", error=repr(error))
            self._failing = True
            return
        if self._failing or self._dropped:
            log.warning("history stored again", dropped_runs=self._dropped)
        self._failing, self._dropped = False, 0

    def _run(self) -> None:
        while not self._stopping.wait(INTERVAL):
            self.write()
        self.write()
        store.close()


writer = Writer()
"""The writer of this process."""


class RecordedRequest(Request):
    """A task request that records its run in the main process of a worker."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Record successes. Celery creates a subclass for each task, whose `on_success` does not call the base class."""
        super().__init_subclass__(**kwargs)
        on_success = cls.on_success

        def record_success(self: RecordedRequest, outcome: tuple[Any, Any, Any], **options: Any) -> None:
            if not outcome[0]:  # otherwise Celery calls on_failure
                record(self.task, self.request_dict, "succeeded")
            on_success(self, outcome, **options)

        cls.on_success = record_success  # type: ignore[assignment, method-assign]

    def on_accepted(self, pid: str, time_accepted: float) -> None:
        """Add the start time to the request."""
        super().on_accepted(pid, time_accepted)
        self.request_dict["started_at"] = self.time_start

    def on_failure(self, exc_info: Any, send_failed_event: bool = True, return_ok: bool = False) -> None:
        """Record the other outcomes. Celery also calls this method for a retry."""
        error = exc_info.exception
        if isinstance(error, ExceptionWithTraceback):
            error = error.exc
        if not isinstance(error, NOT_RECORDED):
            outcome: Outcome = next((outcome for kind, outcome in OUTCOMES if isinstance(error, kind)), "failed")
            record(self.task, self.request_dict, outcome, getattr(error, "exc", None) or error)
        super().on_failure(exc_info, send_failed_event, return_ok)


BaseTask.Request = f"{__name__}:{RecordedRequest.__name__}"  # set before the worker receives its first task


@signals.task_revoked.connect
def record_revoked(sender: Task[Any, Any], request: Any, expired: bool, **_: Any) -> None:
    """Record a task that expired or was revoked."""
    record(sender, request, "expired" if expired else "revoked")


@signals.worker_ready.connect
def start_writer(**_: Any) -> None:
    """Start the thread in the main process, after the pool was started."""
    writer.start()


@signals.worker_shutdown.connect
def stop_writer(**_: Any) -> None:
    """Store the last runs. The supervisor kills the worker 20 s after its tasks have ended."""
    writer.stop(timeout=5)


def record(task: Task[Any, Any], headers: Any, outcome: Outcome, error: object = None) -> None:
    """Record a run. An error must not fail the task."""
    try:
        writer.add(describe_run(task, headers, outcome, error))
    except Exception:
        log.exception("run not recorded", task_id=headers.get("id"))


def describe_run(task: Task[Any, Any], headers: Any, outcome: Outcome, error: object = None) -> RecordedRun:
    """Return the run of a message with these headers."""
    return {
        "task_id": str(headers.get("id"))[:255],
        "task": task.name[:255],
        # With delayed delivery on RabbitMQ, the routing key starts with the delay.
        "queue": str((headers.get("delivery_info") or {}).get("routing_key")).rpartition(".")[2][:255],
        "worker": str(headers.get("hostname"))[:255],
        "arguments": describe_arguments(task, headers.get("args") or (), headers.get("kwargs") or {}),
        "published": to_time(headers.get("sent_at")),
        "started": to_time(headers.get("started_at")),
        "ended": datetime.now(UTC),
        "outcome": outcome,
        "retries": headers.get("retries") or 0,
        "error": cut(repr(error)) if error else "",
        "trace_id": str(headers.get("traceparent") or "")[3:35],  # https://www.w3.org/TR/trace-context/
    }


def to_time(seconds: float | None) -> datetime | None:
    """Return a Unix time as a UTC time."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def cut(text: str) -> str:
    """Return a text with at most `MAX_TEXT` characters, and without NUL, which PostgreSQL rejects."""
    text = text.replace("\0", "")
    return text if len(text) <= MAX_TEXT else f"{text[: MAX_TEXT - 1]}…"


def describe_arguments(task: Task[Any, Any], args: Any, kwargs: dict[str, Any]) -> str:
    """Return the arguments by name as JSON, without the values of redacted names; "" if the task hides them."""
    if getattr(getattr(task, "__wrapped__", None), "hide_arguments", False):
        return ""
    names = list_parameters(task)
    arguments = {**dict(zip(names, args, strict=False)), **kwargs}
    if len(args) > len(names):
        arguments["*"] = args[len(names) :]
    return cut(json.dumps(Redactor().redact(arguments), ensure_ascii=False, default=str))


@cache
def list_parameters(task: Task[Any, Any]) -> list[str]:
    """Return the names of the positional parameters of a task."""
    parameters = inspect.signature(task.run).parameters.values()
    return [each.name for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]


class Redactor:
    """A copier of arguments that redacts values by name, and limits their size."""

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def redact(self, value: Any) -> Any:
        """Return the value with redacted items."""
        self._left -= 1
        if isinstance(value, str):
            return value[:MAX_TEXT]
        if isinstance(value, dict):
            return {
                name: REDACTED if is_redacted(str(name)) else self.redact(item)
                for name, item in self._limit(value.items())
            }
        if isinstance(value, list | tuple):
            return [self.redact(item) for item in self._limit(value)]
        return value

    def _limit(self, items: Iterable[Any]) -> Iterable[Any]:
        return takewhile(lambda _: self._left > 0, items)


@lru_cache(maxsize=1024)  # dictionaries may have any number of different names
def is_redacted(name: str) -> bool:
    """Return whether the name of an argument contains a word of `HISTORY_REDACTED_ARGUMENTS`."""
    return any(word in name.lower() for word in REDACTED_WORDS)
