"""The parts of a worker and of beat that apply the pauses.

A thread reads them, so neither the main loop nor beat waits for the database. During an outage of the database, the
last known pauses apply. Before the first read, a worker consumes from no queue and beat sends nothing: otherwise, a
restart during an outage would run what an operator has paused. Tasks wait on the broker meanwhile.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

import structlog
from celery import signals
from celery.bootsteps import RUN, StartStopStep  # type: ignore[attr-defined]  # RUN is missing in the stubs
from celery.worker.consumer import Tasks
{% if plan().features.monitoring %}
from prometheus_client import Gauge
{% endif %}

from {{ cookiecutter.project_slug }}.control import store
from {{ cookiecutter.project_slug }}.control.pauses import Kind, Pause, by_name

INTERVAL = 2.0
"""Seconds between two reads of the pauses."""

{% if plan().features.monitoring %}
PAUSED = Gauge("celery_queue_paused_timestamp_seconds", "Time of the pause of the queue; 0 if none.", ["queue"])

{% endif %}
log = structlog.get_logger(__name__)


class PauseReader(threading.Thread):
    """A thread that reads the pauses of a kind.

    Attributes:
        pauses: The last known pauses by name; None before the first read.
    """

    def __init__(self, kind: Kind, on_read: Callable[[], object] = lambda: None) -> None:
        super().__init__(name="pauses", daemon=True)
        self.pauses: dict[str, Pause] | None = None
        self._kind = kind
        self._on_read = on_read
        self._failing = False

    def read(self) -> None:
        """Read the pauses. An outage of the database is logged once."""
        try:
            pauses = by_name(store.list_pauses(), self._kind)
        except Exception as error:  # also a missing table or permission
            if not self._failing:
                log.error("pauses not read", error=repr(error), known=self.pauses is not None)
            self._failing = True
            return
        if self._failing:
            log.warning("pauses read again")
        self._failing = False
        self.pauses = pauses
        self._on_read()

    def run(self) -> None:
        """Read until the process exits."""
        while True:
            self.read()
            time.sleep(INTERVAL)


class QueueControl(StartStopStep):
    """The step of a worker's consumer that stops and starts the consumption of its queues.

    `app.amqp.queues.consume_from`, the queues of the worker, does not change.
    """

    requires = (Tasks,)

    def __init__(self, consumer: Any, **options: Any) -> None:
        super().__init__(consumer, **options)
        self.reader = PauseReader("queue", on_read=lambda: self.on_read(consumer))
        self.applied: dict[str, Pause] | None = None

    def start(self, consumer: Any) -> None:
        """Remove the paused queues from a new connection, before it consumes. Start the thread, after the pool."""
        for name in consumer.app.amqp.queues.consume_from:
            if self.reader.pauses is None or name in self.reader.pauses:
                consumer.task_consumer.cancel_by_queue(name)
        if self.reader.ident is None:
            self.reader.start()

    def on_read(self, consumer: Any) -> None:
        """Apply a change in the main loop, since a connection belongs to its thread."""
        if self.reader.pauses != self.applied:
            consumer.call_soon(self.apply, consumer)

    def apply(self, consumer: Any) -> None:
        """Consume from the queues that are not paused. Messages that the worker has received still run."""
        pauses = self.reader.pauses
        if pauses is None or not consumer.task_consumer or consumer.blueprint.state != RUN:
            return  # it reconnects or stops
        before, self.applied = self.applied or {}, pauses
        for name, queue in consumer.app.amqp.queues.consume_from.items():
            if name in pauses:
                consumer.task_consumer.cancel_by_queue(name)
            elif not consumer.task_consumer.consuming_from(name):
                consumer.task_consumer.add_queue(queue)
                consumer.task_consumer.consume()
            if (name in pauses) != (name in before):
                log.warning("queue paused" if name in pauses else "queue resumed", queue=name)
{% if plan().features.monitoring %}
            PAUSED.labels(name).set(pauses[name].at.timestamp() if name in pauses else 0)
{% endif %}


@signals.celeryd_init.connect
def add_step(instance: Any, **_: Any) -> None:
    """Add the step before the worker creates its consumer. Workers of tests do not send this signal."""
    instance.app.steps["consumer"].add(QueueControl)
