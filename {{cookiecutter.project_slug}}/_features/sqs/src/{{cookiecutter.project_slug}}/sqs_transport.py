"""kombu's transport for Amazon SQS, made to outlast an outage.

As it is in kombu 5.7, one answer of 5xx, or none, ends the worker; a connection that falls silent leaves it
waiting for ever, with a heartbeat as if all were well; and a publish is tried twice within a second and lost.
`sqs.py` puts this in its place.
"""

import logging
from typing import Any

from kombu.asynchronous import get_event_loop
from kombu.asynchronous.http.curl import CurlClient
from kombu.transport import SQS

PAUSE = 1
"""Seconds between two requests of a worker while SQS does not answer."""

GREEN_WAIT = 2
"""Seconds that a request of a gevent worker waits for a message: until then the worker cannot stop."""

log = logging.getLogger(__name__)


class Client(CurlClient):
    """An HTTP client that does not wait for ever."""

    def add_request(self, request: Any) -> Any:
        """Send a request that ends when its time is over."""
        request.on_prepare = limit_time
        return super().add_request(request)


def limit_time(curl: Any) -> None:
    """Give a request time to connect, and to wait for a message as long as SQS does."""
    curl.setopt(curl.CONNECTTIMEOUT, 5)  # seconds
    curl.setopt(curl.TIMEOUT, 30)  # seconds; more than wait_time_seconds


def take_for_outage(http_response: Any, **_: Any) -> None:
    """Raise a connection error, which Celery answers by trying again, if SQS itself has failed."""
    if http_response.status_code >= 500:
        raise ConnectionError(f"SQS answered {http_response.status_code}")


class Channel(SQS.Channel):
    """A channel that asks again when SQS did not answer."""

    def new_sqs_client(self, *args: Any, **kwargs: Any) -> Any:
        """The client for everything but waiting for messages."""
        client = super().new_sqs_client(*args, **kwargs)
        client.meta.events.register("after-call.sqs", take_for_outage)
        return client

    def asynsqs(self, queue: str | None = None) -> Any:
        """The connection on which a worker waits for messages."""
        hub = get_event_loop()
        if not hasattr(hub, "_current_http_client"):
            hub._current_http_client = Client(hub)  # type: ignore[union-attr]
        return super().asynsqs(queue)

    def _on_messages_ready(self, queue: str, qname: str, messages: Any) -> Any:
        # SQS's answer, which is never empty, or an empty list where there was none.
        if not messages:
            log.warning("SQS does not answer for the queue %s", qname)
        self.connection.polling_interval = 0 if messages else PAUSE
        return super()._on_messages_ready(queue, qname, messages or {})  # type: ignore[misc]

    def _receive_message(
        self, queue: str, max_number_of_messages: int = 1, wait_time_seconds: int | None = GREEN_WAIT
    ) -> Any:
        # Called where there is no event loop, which is in gevent workers.
        return super()._receive_message(queue, max_number_of_messages, GREEN_WAIT)  # type: ignore[misc]


class Transport(SQS.Transport):
    """SQS with that channel, and connected only when it answers.

    kombu counts the attempts to connect and pauses between them; so there must be an attempt that can fail.
    """

    Channel = Channel
    # Seconds between two requests; more would be a pause between two tasks as well. No transport option, which
    # Redis would take, too: the embedded one of `make demo` would then wait for the first message for ever.
    polling_interval = 0
    recoverable_connection_errors = SQS.Transport.connection_errors

    def establish_connection(self) -> Any:
        """Ask SQS for the length of a queue, as declaring it does; raise a connection error if SQS is away."""
        with self.Channel(self) as channel:
            channel._size(next(iter(channel.predefined_queues)))
        return super().establish_connection()
