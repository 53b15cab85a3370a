"""An SQS transport for outages, long tasks and long delays, based on kombu's. `sqs.py` registers it.

- A worker extends the visibility timeout of its unacknowledged messages. Therefore VISIBILITY_TIMEOUT can be shorter
  than a task, and SQS redelivers the tasks of a lost worker soon.
- A worker republishes a message that is due later than the maximum delay of SQS.
- Requests have timeouts and are retried. With kombu 5.7, a worker exits after a response of 5xx or a connection error,
  waits forever for a response on a broken connection while its heartbeat continues, and a publisher raises an error
  after two attempts within a second.
"""

import logging
import threading
import time
from typing import Any

from botocore.exceptions import ClientError
from celery.signals import worker_ready
from celery.worker import state
from kombu.asynchronous import get_event_loop
from kombu.asynchronous.http.curl import CurlClient
from kombu.transport import SQS, virtual

from {{ cookiecutter.project_slug }}.signals import heartbeat
from {{ cookiecutter.project_slug }}.sqs import MAX_DELAY, VISIBILITY_TIMEOUT, get_seconds_until_due

RETRY_INTERVAL = 1
"""Seconds between two requests of a worker while SQS is unreachable."""

GEVENT_WAIT_TIME = 2
"""Seconds of long polling in a gevent worker, which delays its shutdown."""

CONSUME_INTERVAL = 0.01
"""Seconds between two checks whether a gevent worker can receive the next message."""

MAX_LOCAL_DELAY = 5
"""The maximum delay in seconds for which a worker keeps a message instead of republishing it."""

BATCH_SIZE = 10
"""The maximum number of messages in a request to SQS."""

log = logging.getLogger(__name__)


class Client(CurlClient):
    """An HTTP client with timeouts."""

    def add_request(self, request: Any) -> Any:
        """Send a request with timeouts."""
        request.on_prepare = set_timeouts
        return super().add_request(request)


def set_timeouts(curl: Any) -> None:
    """Set the timeouts of a request, which may be a long poll."""
    curl.setopt(curl.CONNECTTIMEOUT, 5)  # seconds
    curl.setopt(curl.TIMEOUT, 30)  # seconds; more than wait_time_seconds


def raise_server_error(http_response: Any, **_: Any) -> None:
    """Raise a ConnectionError for a server error of SQS, so that Celery retries."""
    if http_response.status_code >= 500:
        raise ConnectionError(f"SQS responded with {http_response.status_code}")


class Message(virtual.Message):
    """A message that can be acknowledged after its channel was closed: a task may run longer than its connection."""

    def __init__(self, payload: Any, channel: Any, **kwargs: Any) -> None:
        super().__init__(payload, channel, **kwargs)
        # A closed channel of kombu has neither attribute.
        self.client = channel.sqs()
        self.url = self.delivery_info.get("sqs_queue")

    def ack(self, multiple: bool = False) -> None:
        """Delete the message from its queue."""
        super().ack(multiple)
        if self.channel.closed:  # type: ignore[union-attr]
            try:
                self.client.delete_message(QueueUrl=self.url, ReceiptHandle=self.delivery_tag)
            except ClientError as error:  # like kombu: another exception would stop the worker
                log.warning("message not acknowledged: %s: %r", self.url, error)


class Channel(SQS.Channel):
    """A channel that retries requests during an outage, and republishes messages that are due much later."""

    Message = Message

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.requested: set[str] = set()  # the queues with an open request
        super().__init__(*args, **kwargs)

    def new_sqs_client(self, *args: Any, **kwargs: Any) -> Any:
        """Return the client for all requests except long polling."""
        client = super().new_sqs_client(*args, **kwargs)
        client.meta.events.register("after-call.sqs", raise_server_error)
        return client

    def asynsqs(self, queue: str | None = None) -> Any:
        """Return the connection for long polling."""
        hub = get_event_loop()
        if not hasattr(hub, "_current_http_client"):
            hub._current_http_client = Client(hub)  # type: ignore[union-attr]
        return super().asynsqs(queue)

    def basic_consume(self, queue: str, no_ack: bool, callback: Any, *args: Any, **kwargs: Any) -> Any:
        """Consume from a queue. Postpone messages that are due much later."""

        def consume(message: Any) -> None:
            if no_ack or not self.postpone(queue, message):
                callback(message)

        return super().basic_consume(queue, no_ack, consume, *args, **kwargs)

    def postpone(self, queue: str, message: Any) -> bool:
        """Republish a message that is due much later, and acknowledge it. Return whether it was republished.

        The new message has a new delivery count, so it does not become a dead letter. A failure between the two steps
        leaves two messages: at-least-once delivery. If publishing fails, the worker delays the task itself.
        """
        try:
            delay = get_seconds_until_due(message.headers or {})
            if delay <= MAX_LOCAL_DELAY:
                return False
            copy = message.serializable()
            # kombu added the others when it received the message. They are not JSON.
            info = {name: value for name, value in message.delivery_info.items() if not name.startswith("sqs_")}
            delayed = {"delivery_info": info, "DelaySeconds": min(int(delay), MAX_DELAY)}
            self._put(queue, copy | {"properties": message.properties | delayed})
        except Exception as error:  # an invalid header of another publisher, or one of boto3's exceptions
            log.warning("message delay not extended: %s: %r", queue, error)
            return False
        message.ack_log_error(log, self.connection.connection_errors)
        return True

    def _schedule_queue(self, queue: str) -> None:
        # If a queue is paused and resumed during a request, kombu would poll it with two requests from then on.
        if queue not in self.requested:
            super()._schedule_queue(queue)  # type: ignore[misc]

    def _get_async(self, queue: str, *args: Any, **kwargs: Any) -> Any:
        self.requested.add(queue)
        return super()._get_async(queue, *args, **kwargs)  # type: ignore[misc]

    def _on_messages_ready(self, queue: str, qname: str, messages: Any) -> Any:
        self.requested.discard(qname)
        # The response of SQS is never empty. kombu passes an empty list if there was no response.
        if not messages:
            log.warning("SQS unreachable: %s", qname)
        self.connection.polling_interval = 0 if messages else RETRY_INTERVAL
        return super()._on_messages_ready(queue, qname, messages or {})  # type: ignore[misc]

    def _receive_message(
        self, queue: str, max_number_of_messages: int = 1, wait_time_seconds: int | None = GEVENT_WAIT_TIME
    ) -> Any:
        # Only called without an event loop, as in gevent workers.
        return super()._receive_message(queue, max_number_of_messages, GEVENT_WAIT_TIME)  # type: ignore[misc]


class Transport(SQS.Transport):
    """The transport. It is connected only if SQS responds.

    kombu limits the attempts to connect and waits between them. For this, an attempt must fail during an outage.
    """

    Channel = Channel
    # Seconds between two requests. A longer interval would also delay each task. It is not a transport option, since
    # the Redis transport has the same option: the embedded Redis of `make demo` would never deliver the first message.
    polling_interval = 0
    recoverable_connection_errors = SQS.Transport.connection_errors

    def drain_events(self, connection: Any, timeout: float | None = None, **options: Any) -> None:
        """Deliver a message. Only called without an event loop, as in gevent workers.

        At the prefetch limit, or without a queue to consume from, kombu would not pause, because its polling interval is 0.

        Raises:
            TimeoutError: No message was received within the timeout, in seconds.
        """
        started = time.monotonic()
        while not any(channel._consumers and channel.qos.can_consume() for channel in connection.channels):
            if timeout is not None and time.monotonic() - started >= timeout:
                raise TimeoutError
            time.sleep(CONSUME_INTERVAL)
        super().drain_events(connection, timeout=timeout, **options)

    def establish_connection(self) -> Any:
        """Request the length of a queue, as its declaration does. Raise a connection error if SQS is unreachable."""
        with self.Channel(self) as channel:
            channel._size(next(iter(channel.predefined_queues)))
        return super().establish_connection()


class VisibilityExtender(threading.Thread):
    """A thread that extends the visibility timeout of a worker's unacknowledged messages.

    It does so while the main loop runs, and during a shutdown, while the last tasks run without the main loop. The
    maximum visibility timeout of SQS is 12 hours in total.
    """

    def __init__(self, consumer: Any) -> None:
        super().__init__(name="visibility", daemon=True)
        self.consumer = consumer
        self.client = consumer.task_consumer.channel.sqs()

    def run(self) -> None:
        """Extend the visibility timeout four times per timeout, until the process exits."""
        while True:
            time.sleep(VISIBILITY_TIMEOUT / 4)
            if heartbeat.is_healthy:
                try:
                    self.extend()
                except Exception as error:  # boto3 has many exception classes
                    log.warning("message visibility not extended: %r", error)

    def extend(self) -> None:
        """Extend the visibility timeout of all unacknowledged messages."""
        by_url: dict[str, list[str]] = {}
        for receipt, url in self.get_unacknowledged().items():
            by_url.setdefault(url, []).append(receipt)
        for url, receipts in by_url.items():
            for batch in (receipts[start : start + BATCH_SIZE] for start in range(0, len(receipts), BATCH_SIZE)):
                entries = [
                    {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": VISIBILITY_TIMEOUT}
                    for number, receipt in enumerate(batch)
                ]
                response = self.client.change_message_visibility_batch(QueueUrl=url, Entries=entries)
                failed = {batch[int(entry["Id"])] for entry in response.get("Failed", [])}
                if lost := failed & self.get_unacknowledged().keys():  # not those that were acknowledged meanwhile
                    log.warning("running tasks may be redelivered: %d of %s", len(lost), url)

    def get_unacknowledged(self) -> dict[str, str]:
        """Return the URLs of the queues of this worker's unacknowledged messages, by receipt handle."""
        # A running task may have been received on an earlier connection.
        messages = [request.message for request in tuple(state.active_requests) if not request.acknowledged]
        if self.consumer.task_consumer:
            qos = self.consumer.task_consumer.channel.qos
            messages += [message for receipt, message in tuple(qos._delivered.items()) if receipt not in qos._dirty]
        return {message.delivery_tag: message.url for message in messages}


@worker_ready.connect
def start_extender(sender: Any, **_: Any) -> None:
    """Start the thread of a worker on SQS. Tests run workers on other brokers."""
    if isinstance(sender.task_consumer.channel, Channel):
        VisibilityExtender(sender).start()
