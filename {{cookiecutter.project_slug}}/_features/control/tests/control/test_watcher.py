"""The reader of the pauses, and the step of the consumer, on a connection without a broker."""

from datetime import UTC, datetime
from typing import Any
from unittest.mock import Mock

import pytest
from celery.bootsteps import CLOSE, RUN  # type: ignore[attr-defined]  # missing in the stubs
from celery.worker.consumer import Tasks
from structlog.testing import capture_logs

from {{ cookiecutter.project_slug }}.control import store, watcher
from {{ cookiecutter.project_slug }}.control.pauses import Pause
from {{ cookiecutter.project_slug }}.control.watcher import PauseReader, QueueControl

PAUSES = [Pause("queue", "emails", datetime.now(UTC), "alice"), Pause("periodic task", "clean", datetime.now(UTC), "")]


class TaskConsumer:
    """A consumer of messages that consumes as soon as the worker's main loop runs, like kombu's."""

    def __init__(self, *queues: str) -> None:
        self.queues = set(queues)
        self.active: set[str] = set()

    def cancel_by_queue(self, name: str) -> None:
        """Remove a queue."""
        self.queues.discard(name)
        self.active.discard(name)

    def consuming_from(self, name: str) -> bool:
        """Return whether it consumes from a queue."""
        return name in self.active

    def add_queue(self, name: str) -> None:
        """Add a queue."""
        self.queues.add(name)

    def consume(self) -> None:
        """Consume from all queues."""
        self.active = set(self.queues)


class Consumer:
    """A worker's consumer."""

    def __init__(self) -> None:
        self.app = Mock()
        self.blueprint = Mock(state=RUN)
        self.app.amqp.queues.consume_from = {"emails": "emails", "reports": "reports"}
        self.steps: list[Any] = []
        self.connect()

    def connect(self) -> None:
        """Start a new connection, which does not consume yet."""
        self.task_consumer: TaskConsumer | None = TaskConsumer("emails", "reports")

    def call_soon(self, function: Any, *args: Any) -> None:
        """Call the function now."""
        function(*args)

    @property
    def active(self) -> set[str]:
        """The queues from which it consumes."""
        return self.task_consumer.active if self.task_consumer else set()


@pytest.fixture
def consumer() -> Consumer:
    """Return a consumer that is connected."""
    return Consumer()


@pytest.fixture
def step(consumer: Consumer, monkeypatch: pytest.MonkeyPatch) -> QueueControl:
    """Return the step of the consumer, whose reader does not run as a thread."""
    monkeypatch.setattr(PauseReader, "start", lambda _: None)
    return QueueControl(consumer)


def pause(monkeypatch: pytest.MonkeyPatch, *pauses: Pause) -> None:
    """Replace the pauses in the database."""
    monkeypatch.setattr(store, "list_pauses", lambda: list(pauses))


def fail() -> list[Pause]:
    """Simulate an outage of the database."""
    raise ConnectionError("refused")


def test_a_worker_consumes_nothing_until_it_knows_the_pauses(
    consumer: Consumer, step: QueueControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "list_pauses", fail)
    step.start(consumer)
    consumer.task_consumer.consume()  # type: ignore[union-attr]  # the main loop
    step.reader.read()
    assert consumer.active == set()

    pause(monkeypatch, *PAUSES)
    step.reader.read()
    assert consumer.active == {"reports"}


def test_pause_and_resume_apply_to_a_running_worker(
    consumer: Consumer, step: QueueControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    step.start(consumer)
    with capture_logs() as lines:
        for pauses in ((), PAUSES, PAUSES, ()):
            pause(monkeypatch, *pauses)
            step.reader.read()
            assert consumer.active == ({"reports"} if pauses else {"emails", "reports"})
    assert [(line["event"], line["queue"]) for line in lines] == [
        ("queue paused", "emails"),
        ("queue resumed", "emails"),
    ]


def test_a_new_connection_does_not_consume_from_a_paused_queue(
    consumer: Consumer, step: QueueControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause(monkeypatch, *PAUSES)
    step.start(consumer)
    step.reader.read()
    consumer.connect()
    step.start(consumer)
    consumer.task_consumer.consume()  # type: ignore[union-attr]
    assert consumer.active == {"reports"}


def test_a_change_while_the_worker_reconnects_applies_afterwards(
    consumer: Consumer, step: QueueControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    step.start(consumer)
    consumer.task_consumer = None
    pause(monkeypatch, *PAUSES)
    step.reader.read()
    consumer.connect()
    step.start(consumer)
    step.reader.read()
    assert consumer.active == {"reports"}


def test_a_worker_that_stops_does_not_consume_again(
    consumer: Consumer, step: QueueControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    step.start(consumer)
    pause(monkeypatch)
    consumer.blueprint.state = CLOSE
    step.reader.read()
    assert consumer.active == set()


def test_the_last_known_pauses_apply_during_an_outage_which_is_logged_once(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = PauseReader("periodic task")
    pause(monkeypatch, *PAUSES)
    reader.read()
    with capture_logs() as lines:
        monkeypatch.setattr(store, "list_pauses", fail)
        reader.read()
        reader.read()
        assert reader.pauses
        assert list(reader.pauses) == ["clean"]
        pause(monkeypatch)
        reader.read()
    assert reader.pauses == {}
    assert [line["event"] for line in lines] == ["pauses not read", "pauses read again"]


def test_the_step_follows_the_creation_of_the_task_consumer() -> None:
    instance: Any = Mock()
    instance.app.steps = {"consumer": set()}
    watcher.add_step(instance=instance)
    assert instance.app.steps["consumer"] == {QueueControl}
    assert QueueControl.requires == (Tasks,)
{% if plan().features.monitoring %}


def test_the_time_of_a_pause_is_a_metric(
    consumer: Consumer, step: QueueControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    pause(monkeypatch, *PAUSES)
    step.reader.read()
    samples = {sample.labels["queue"]: sample.value for sample in next(iter(watcher.PAUSED.collect())).samples}
    assert samples == {"emails": PAUSES[0].at.timestamp(), "reports": 0}
{% endif %}
