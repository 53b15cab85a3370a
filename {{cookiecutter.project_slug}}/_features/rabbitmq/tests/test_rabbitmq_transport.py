"""Publisher confirms and timeouts of the transport."""

from typing import Any
from unittest.mock import Mock

import pytest
from amqp import spec
from amqp.exceptions import MessageNacked, RecoverableConnectionError
from kombu import Connection as Client
from kombu.exceptions import OperationalError

from {{ cookiecutter.project_slug }} import rabbitmq_transport
from {{ cookiecutter.project_slug }}.rabbitmq_transport import TRANSIENT, Channel, Connection

PERSISTENT = 2


class FakeChannel(Channel):
    """A channel to a server that responds with these methods and message numbers."""

    def __init__(self, *responses: tuple[Any, int], blocked: bool = False) -> None:
        self.responses = list(responses)
        self.connection = Mock(read_timeout=None)
        self.connection.is_blocked.return_value = blocked
        self._confirm_selected = False
        self.selected = 0
        self._basic_publish = Mock()

    def confirm_select(self, nowait: bool = False) -> None:
        """Count the calls."""
        self.selected += 1

    def wait(self, method: Any, callback: Any = None, timeout: float | None = None, returns_tuple: bool = False) -> Any:
        """Pass the next response to the callback."""
        if not self.responses:
            raise TimeoutError
        callback(*self.responses.pop(0))

    def publish(self, delivery_mode: int) -> None:
        """Publish a message with this delivery mode."""
        self.basic_publish_confirm(Mock(properties={"delivery_mode": delivery_mode}), exchange="", routing_key="q")


@pytest.mark.parametrize(("scheme", "cls"), [("amqp", "Transport"), ("amqps", "SSLTransport")])
def test_rabbitmq_urls_select_this_transport(scheme: str, cls: str) -> None:
    assert Client(f"{scheme}://localhost").get_transport_cls() is getattr(rabbitmq_transport, cls)


def test_a_task_is_confirmed() -> None:
    channel = FakeChannel((spec.Basic.Ack, 1), (spec.Basic.Ack, 2))
    channel.publish(PERSISTENT)
    channel.publish(PERSISTENT)
    assert (channel.selected, channel.responses) == (1, [])


def test_a_reopened_channel_counts_from_one() -> None:
    channel = FakeChannel((spec.Basic.Ack, 1), (spec.Basic.Ack, 1))
    channel.publish(PERSISTENT)
    channel._confirm_selected = False  # as py-amqp does
    channel.publish(PERSISTENT)
    assert (channel.selected, channel.responses) == (2, [])


def test_the_confirm_of_an_event_is_ignored() -> None:
    channel = FakeChannel((spec.Basic.Ack, 1), (spec.Basic.Ack, 2), (spec.Basic.Ack, 3))
    channel.publish(PERSISTENT)
    channel.publish(TRANSIENT)
    assert len(channel.responses) == 2
    channel.publish(PERSISTENT)
    assert not channel.responses


def test_an_event_is_dropped_while_rabbitmq_blocks_publishers() -> None:
    channel = FakeChannel(blocked=True)
    channel.publish(TRANSIENT)
    channel._basic_publish.assert_not_called()


def test_an_unconfirmed_task_is_an_error_and_closes_the_connection() -> None:
    channel = FakeChannel((spec.Basic.Ack, 0))
    with pytest.raises(OperationalError, match="did not confirm a message within"):
        channel.publish(PERSISTENT)
    channel.connection.collect.assert_called_once()


def test_a_closed_connection_is_a_connection_error() -> None:
    channel = Channel.__new__(Channel)
    channel.connection = None
    with pytest.raises(RecoverableConnectionError):
        channel.basic_publish_confirm(Mock())


def test_a_rejected_task_is_an_error() -> None:
    with pytest.raises(MessageNacked):
        FakeChannel((spec.Basic.Nack, 1)).publish(PERSISTENT)


def test_heartbeats_do_not_extend_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """py-amqp restarts its timeout with each frame that it receives."""
    monkeypatch.setattr("amqp.Connection.drain_events", lambda self, timeout: None)
    with pytest.raises(TimeoutError):
        Connection().wait(spec.Connection.CloseOk, timeout=0.01)
