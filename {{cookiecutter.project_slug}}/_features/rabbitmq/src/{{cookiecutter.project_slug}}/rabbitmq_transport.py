"""A RabbitMQ transport with timeouts, based on kombu's. `quorum.py` registers it.

With kombu 5.7, py-amqp 5.4 and publisher confirms, the main loop of a worker also waits for the confirms of its events,
without a timeout. It hangs if the peer does not respond, and during an alarm of RabbitMQ, which blocks publishers so
that consumers can drain the queues.
"""

import ssl
import time
from contextlib import suppress
from typing import Any

from amqp import spec
from amqp.exceptions import MessageNacked
from kombu.exceptions import OperationalError
from kombu.transport import pyamqp

from {{ cookiecutter.project_slug }}.settings import env

REPLY_TIMEOUT = 20.0
"""Seconds to wait for the response to a request, such as the declaration of a queue. `read_timeout` overrides it."""

CONFIRM_TIMEOUT = max(5.0, env.celery_publish_timeout)
"""Seconds to wait for a publisher confirm. `read_timeout` overrides it."""

TRANSIENT = 1
"""The delivery mode of events and of remote control replies. Tasks are persistent."""


class TimeoutMixin:
    """A channel or a connection whose requests have a timeout."""

    connection: Any

    def wait(self, method: Any, callback: Any = None, timeout: float | None = None, returns_tuple: bool = False) -> Any:
        """Wait for a response.

        Raises:
            TimeoutError: There is no response. (The timeout of py-amqp restarts with each frame, even a heartbeat.)
        """
        wait = super().wait  # type: ignore[misc]  # defined by py-amqp
        connection = self.connection
        if connection is None:
            return wait(method, callback, timeout, returns_tuple)  # raises a connection error
        timeout = timeout or connection.read_timeout or REPLY_TIMEOUT
        outer_deadline, connection.deadline = connection.deadline, time.monotonic() + timeout
        try:
            return wait(method, callback, timeout, returns_tuple)
        finally:
            connection.deadline = outer_deadline


class Channel(TimeoutMixin, pyamqp.Channel):
    """A channel that waits for the publisher confirms of persistent messages only."""

    _basic_publish: Any
    _confirm_selected: bool
    publish_count = 0
    """The number of messages published in confirm mode. RabbitMQ confirms a message by this number."""

    def basic_publish_confirm(self, msg: Any, *args: Any, **options: Any) -> Any:
        """Publish a message. If it is persistent, wait for the publisher confirm.

        Raises:
            MessageNacked: RabbitMQ rejected the message, for example because the queue is full.
            OperationalError: RabbitMQ did not confirm the message in time, but may have stored it.
        """
        if self.connection is None:
            return self._basic_publish(msg, *args, **options)  # raises a connection error, so kombu reconnects
        timeout = options.pop("confirm_timeout", None) or options.get("timeout") or self.connection.read_timeout
        persistent = msg.properties.get("delivery_mode") != TRANSIENT
        if not persistent and self.connection.is_blocked():
            return None  # or the socket buffer would fill up, and the worker would hang
        if persistent and not self._confirm_selected:
            self.confirm_select()
            self._confirm_selected = True
            self.publish_count = 0  # py-amqp reopens a channel that RabbitMQ has closed
        if self._confirm_selected:
            self.publish_count += 1
        result = self._basic_publish(msg, *args, **options)
        if persistent:
            self._wait_for_confirm(timeout or CONFIRM_TIMEOUT)
        return result

    def _wait_for_confirm(self, timeout: float) -> None:
        confirm: list[Any] = [None, 0]

        def set_confirm(method: Any, tag: int, *_: Any) -> None:
            confirm[:] = method, tag

        deadline = time.monotonic() + timeout
        try:
            while confirm[1] != self.publish_count:  # confirms of earlier messages and of events may arrive first
                self.wait([spec.Basic.Ack, spec.Basic.Nack], set_confirm, max(0.001, deadline - time.monotonic()))
        except TimeoutError:
            self.connection.collect()  # the peer may be lost: the next publish reconnects
            raise OperationalError(f"RabbitMQ did not confirm a message within {timeout:.0f} s") from None
        if confirm[0] == spec.Basic.Nack:
            raise MessageNacked


class Connection(TimeoutMixin, pyamqp.Connection):
    """A connection that records whether RabbitMQ has blocked it."""

    Channel = Channel
    deadline: float | None = None
    """The end of the timeout of the pending request."""
    blocked = False

    def drain_events(self, timeout: float | None = None) -> Any:
        """Handle the next frame.

        Raises:
            TimeoutError: There is no frame, or the deadline of the pending request has passed.
        """
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise TimeoutError("RabbitMQ does not respond")
        return super().drain_events(timeout)

    def is_blocked(self) -> bool:
        """Return whether an alarm of RabbitMQ blocks this connection."""
        with suppress(TimeoutError):
            while self.blocked:
                self.drain_events(timeout=0)  # the alarm may be cleared
        return self.blocked

    def _on_blocked(self) -> None:
        self.blocked = True
        super()._on_blocked()  # type: ignore[misc]

    def _on_unblocked(self) -> None:
        self.blocked = False
        super()._on_unblocked()  # type: ignore[misc]


class Transport(pyamqp.Transport):
    """The transport for `amqp://`."""

    Connection = Connection


class SSLTransport(pyamqp.SSLTransport):
    """The transport for `amqps://`. It checks the host name in the certificate, which py-amqp does not."""

    Connection = Connection

    def establish_connection(self) -> Any:
        """Connect with the TLS options of the URL. kombu passes them with the names of the Redis options."""
        client: Any = self.client
        url_options = client.ssl if isinstance(client.ssl, dict) else {}
        options = {name.removeprefix("ssl_"): value for name, value in url_options.items()}
        if options.get("cert_reqs") != ssl.CERT_NONE:
            options.setdefault("server_hostname", client.hostname)
        client.ssl = options
        return super().establish_connection()
