"""The doctor's checks of RabbitMQ."""

from typing import Any
from unittest.mock import MagicMock, Mock

import pytest
from amqp.exceptions import AccessRefused, NotFound, PreconditionFailed
from kombu import Queue

from {{ cookiecutter.project_slug }} import broker_checks
from {{ cookiecutter.project_slug }}.findings import Note, Unknown


@pytest.mark.parametrize(("version", "kind"), [("3.11.28", Unknown), ("3.12.0", Note), ("4.1.0-rc.1", Note)])
def test_the_consumer_timeout_is_unknown_before_rabbitmq_3_12(version: str, kind: type) -> None:
    (found,) = broker_checks.check_consumer_timeout(version)
    assert isinstance(found, kind)


@pytest.mark.parametrize(
    ("error", "kind", "text"),
    [
        (NotFound("no queue"), Note, "does not exist yet"),
        (AccessRefused("access refused"), Unknown, "is not checked: access refused"),
        (PreconditionFailed("inequivalent arg 'x-consumer-timeout'"), str, "inequivalent arg 'x-consumer-timeout'"),
    ],
)
def test_a_queue_with_other_arguments_is_reported(
    error: Exception, kind: type, text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def declare(self: Queue, passive: bool = False, **_: Any) -> Any:
        if passive == isinstance(error, NotFound):
            raise error
        return Mock(message_count=0)

    connection: Any = MagicMock()
    connection.channel.return_value.__exit__.return_value = None
    monkeypatch.setattr(Queue, "queue_declare", declare)
    for found in broker_checks.check_arguments(connection):
        assert type(found) is kind
        assert text in found


def test_ready_messages_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Queue, "queue_declare", lambda *_, **__: Mock(message_count=7))
    found = list(broker_checks.check_queues(MagicMock()))
    assert found
    assert all(line.endswith(": 7 ready") for line in found)
