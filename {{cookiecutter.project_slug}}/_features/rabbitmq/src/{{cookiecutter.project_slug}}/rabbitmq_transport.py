"""kombu's transport for RabbitMQ, with limits to what it waits for.

As it is in kombu 5.7 and py-amqp 5.4, a worker that confirms what it publishes waits for the confirmation of its
events, too, in its main loop and without a limit: a silent peer hangs it for ever, and so does an alarm of RabbitMQ,
which blocks publishers so that consumers can drain. `quorum.py` puts this in its place.
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
"""Seconds that RabbitMQ may take to reply to a request, such as the declaration of a queue, without `read_timeout`."""

CONFIRM_TIMEOUT = max(5.0, env.celery_publish_timeout)
"""Seconds that RabbitMQ may take to confirm a message, without `read_timeout`."""

TRANSIENT = 1
"""The delivery mode of events and of the replies of remote control; that of tasks is persistent."""


class Bounded:
    """A channel or a connection whose requests have a time limit."""

    connection: Any

    def wait(self, method: Any, callback: Any = None, timeout: float | None = None, returns_tuple: bool = False) -> Any:
        """Wait for a reply.

        Raises:
            TimeoutError: There is none. (py-amqp's own limit starts again with each frame, a heartbeat for example.)
        """
        wait = super().wait  # type: ignore[misc]  # of py-amqp
        connection = self.connection
        if connection is None:
            return wait(method, callback, timeout, returns_tuple)  # raises a connection error
        limit = timeout or connection.read_timeout or REPLY_TIMEOUT
        outer, connection.deadline = connection.deadline, time.monotonic() + limit
        try:
            return wait(method, callback, limit, returns_tuple)
        finally:
            connection.deadline = outer


class Channel(Bounded, pyamqp.Channel):
    """A channel that waits for the confirmation of persistent messages only."""

    _basic_publish: Any
    _confirm_selected: bool
    published = 0
    """How many messages this channel has published in confirm mode; RabbitMQ confirms them by this number."""

    def basic_publish_confirm(self, msg: Any, *args: Any, **options: Any) -> Any:
        """Publish a message, and wait until RabbitMQ has stored it if it is persistent.

        Raises:
            MessageNacked: RabbitMQ refuses it, for example because the queue is full.
            OperationalError: RabbitMQ did not confirm it in time. It may have stored it all the same.
        """
        if self.connection is None:
            return self._basic_publish(msg, *args, **options)  # raises a connection error, so that kombu connects again
        limit = options.pop("confirm_timeout", None) or options.get("timeout") or self.connection.read_timeout
        persistent = msg.properties.get("delivery_mode") != TRANSIENT
        if not persistent and self.connection.is_blocked():
            return None  # or they would fill the socket's buffer, and then hang the worker
        if persistent and not self._confirm_selected:
            self.confirm_select()
            self._confirm_selected = True
            self.published = 0  # py-amqp opens a channel again that RabbitMQ has closed
        if self._confirm_selected:
            self.published += 1
        published = self._basic_publish(msg, *args, **options)
        if persistent:
            self._wait_for_confirmation(limit or CONFIRM_TIMEOUT)
        return published

    def _wait_for_confirmation(self, limit: float) -> None:
        answer: list[Any] = [None, 0]

        def note(method: Any, tag: int, *_: Any) -> None:
            answer[:] = method, tag

        until = time.monotonic() + limit
        try:
            while answer[1] != self.published:  # an earlier one may be late, and that of an event is not waited for
                self.wait([spec.Basic.Ack, spec.Basic.Nack], note, max(0.001, until - time.monotonic()))
        except TimeoutError:
            self.connection.collect()  # the peer may be gone: the next publish connects again
            raise OperationalError(f"RabbitMQ did not confirm a message within {limit:.0f} s") from None
        if answer[0] == spec.Basic.Nack:
            raise MessageNacked


class Connection(Bounded, pyamqp.Connection):
    """A connection that knows whether RabbitMQ has blocked it."""

    Channel = Channel
    deadline: float | None = None
    """When the request that is being waited for has taken too long."""
    blocked = False

    def drain_events(self, timeout: float | None = None) -> Any:
        """Handle the next frame.

        Raises:
            TimeoutError: There is none, or the request that is being waited for has taken too long.
        """
        if self.deadline is not None and time.monotonic() > self.deadline:
            raise TimeoutError("RabbitMQ does not reply")
        return super().drain_events(timeout)

    def is_blocked(self) -> bool:
        """Return whether an alarm of RabbitMQ blocks this connection now."""
        with suppress(TimeoutError):
            while self.blocked:
                self.drain_events(timeout=0)  # it may be over
        return self.blocked

    def _on_blocked(self) -> None:
        self.blocked = True
        super()._on_blocked()  # type: ignore[misc]

    def _on_unblocked(self) -> None:
        self.blocked = False
        super()._on_unblocked()  # type: ignore[misc]


class Transport(pyamqp.Transport):
    """`amqp://`, with the connections above."""

    Connection = Connection


class SSLTransport(pyamqp.SSLTransport):
    """`amqps://`, with the connections above. The certificate has to be that of the host, which py-amqp does not check."""

    Connection = Connection

    def establish_connection(self) -> Any:
        """Connect, with the TLS options of the URL, which kombu passes on by their names for Redis."""
        client: Any = self.client
        given = client.ssl if isinstance(client.ssl, dict) else {}
        options = {name.removeprefix("ssl_"): value for name, value in given.items()}
        if options.get("cert_reqs") != ssl.CERT_NONE:
            options.setdefault("server_hostname", client.hostname)
        client.ssl = options
        return super().establish_connection()
