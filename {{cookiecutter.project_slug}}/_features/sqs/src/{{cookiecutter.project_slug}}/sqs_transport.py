"""kombu's transport for Amazon SQS, made to outlast an outage, a long task and a long delay.

A worker extends the visibility of the messages that it holds, so that VISIBILITY_TIMEOUT can be short however long a
task runs: SQS redelivers the tasks of a lost worker after that time. A message that is due later than SQS can delay
it is published again, as often as needed. Neither is in kombu.

As it is in kombu 5.7, one answer of 5xx, or none, ends the worker; a connection that falls silent leaves it
waiting for ever, with a heartbeat as if all were well; and a publish is tried twice within a second and lost.
`sqs.py` puts this in its place.
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
from {{ cookiecutter.project_slug }}.sqs import LONGEST_DELAY, VISIBILITY_TIMEOUT, seconds_until_due

PAUSE = 1
"""Seconds between two requests of a worker while SQS does not answer."""

GREEN_WAIT = 2
"""Seconds that a request of a gevent worker waits for a message: until then the worker cannot stop."""

HELD_DELAY = 5
"""Seconds until a task is due for which a worker holds its message itself."""

BATCH = 10
"""Messages in one request to SQS at most."""

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


class Message(virtual.Message):
    """A message that can be acknowledged after its channel was closed: a running task outlives its connection."""

    def __init__(self, payload: Any, channel: Any, **kwargs: Any) -> None:
        super().__init__(payload, channel, **kwargs)
        # A closed channel of kombu has neither any more.
        self.client = channel.sqs()
        self.url = self.delivery_info.get("sqs_queue")

    def ack(self, multiple: bool = False) -> None:
        """Delete the message from its queue."""
        super().ack(multiple)
        if self.channel.closed:  # type: ignore[union-attr]
            try:
                self.client.delete_message(QueueUrl=self.url, ReceiptHandle=self.delivery_tag)
            except ClientError as error:  # as in kombu: another one would end the worker
                log.warning("message not acknowledged: %s: %r", self.url, error)


class Channel(SQS.Channel):
    """A channel that asks again when SQS did not answer, and publishes messages again that are due much later."""

    Message = Message

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

    def basic_consume(self, queue: str, no_ack: bool, callback: Any, *args: Any, **kwargs: Any) -> Any:
        """Consume from a queue, except for messages that are due much later."""

        def consume(message: Any) -> None:
            if no_ack or not self.postpone(queue, message):
                callback(message)

        return super().basic_consume(queue, no_ack, consume, *args, **kwargs)

    def postpone(self, queue: str, message: Any) -> bool:
        """Publish a message that is due much later again, and acknowledge it; return whether it was due later.

        SQS counts the deliveries of each message, so these do not lead to the dead letters. A failure between the two
        steps leaves two messages: at-least-once delivery. If publishing fails, the worker holds the message itself.
        """
        try:
            delay = seconds_until_due(message.headers or {})
            if delay <= HELD_DELAY:
                return False
            again = message.serializable()
            # Without what kombu added when it received the message, which is not JSON.
            info = {name: value for name, value in message.delivery_info.items() if not name.startswith("sqs_")}
            delayed = {"delivery_info": info, "DelaySeconds": min(int(delay), LONGEST_DELAY)}
            self._put(queue, again | {"properties": message.properties | delayed})
        except Exception as error:  # a header of another's, or any of boto3's types
            log.warning("message delay not extended: %s: %r", queue, error)
            return False
        message.ack_log_error(log, self.connection.connection_errors)
        return True

    def _on_messages_ready(self, queue: str, qname: str, messages: Any) -> Any:
        # SQS's answer, which is never empty, or an empty list where there was none.
        if not messages:
            log.warning("SQS unreachable: %s", qname)
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


class VisibilityExtender(threading.Thread):
    """Extends the visibility of the messages that a worker holds, while its main loop turns or it is stopping.

    A thread, since the main loop does not turn while a stopping worker waits for its tasks. SQS extends the visibility
    of a message for 12 hours at most.
    """

    def __init__(self, consumer: Any) -> None:
        super().__init__(name="visibility", daemon=True)
        self.consumer = consumer
        self.client = consumer.task_consumer.channel.sqs()

    def run(self) -> None:
        """Extend four times in each timeout, until the process exits."""
        while True:
            time.sleep(VISIBILITY_TIMEOUT / 4)
            if heartbeat.is_healthy:
                try:
                    self.extend()
                except Exception as error:  # boto3 raises many types
                    log.warning("message visibility not extended: %r", error)

    def extend(self) -> None:
        """Hide the messages for the timeout from now on."""
        by_url: dict[str, list[str]] = {}
        for receipt, url in self.held().items():
            by_url.setdefault(url, []).append(receipt)
        for url, receipts in by_url.items():
            for batch in (receipts[start : start + BATCH] for start in range(0, len(receipts), BATCH)):
                entries = [
                    {"Id": str(number), "ReceiptHandle": receipt, "VisibilityTimeout": VISIBILITY_TIMEOUT}
                    for number, receipt in enumerate(batch)
                ]
                answer = self.client.change_message_visibility_batch(QueueUrl=url, Entries=entries)
                failed = {batch[int(entry["Id"])] for entry in answer.get("Failed", [])}
                if lost := failed & self.held().keys():  # the others were acknowledged meanwhile
                    log.warning("running tasks may be redelivered: %d of %s", len(lost), url)

    def held(self) -> dict[str, str]:
        """Return the receipt handles of the unacknowledged messages of this worker, with the URLs of their queues."""
        # A task that runs outlives the connection on which it was received.
        messages = [request.message for request in tuple(state.active_requests) if not request.acknowledged]
        if self.consumer.task_consumer:
            qos = self.consumer.task_consumer.channel.qos
            messages += [message for receipt, message in tuple(qos._delivered.items()) if receipt not in qos._dirty]
        return {message.delivery_tag: message.url for message in messages}


@worker_ready.connect
def start_extender(sender: Any, **_: Any) -> None:
    """Start the thread of a worker on SQS; tests have workers on other brokers."""
    if isinstance(sender.task_consumer.channel, Channel):
        VisibilityExtender(sender).start()
