"""Quorum queues: replicated, stored on disk, and with a delivery limit for poison tasks.

https://www.rabbitmq.com/docs/quorum-queues
"""

import logging
from typing import Any

from amqp.exceptions import PreconditionFailed
from kombu import Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport.native_delayed_delivery import (
    bind_queue_to_native_delayed_delivery_exchange,
    declare_native_delayed_delivery_exchanges_and_queues,
)

from {{ cookiecutter.project_slug }}.settings import env

TRANSPORT_ALIASES["amqp"] = "{{ cookiecutter.project_slug }}.rabbitmq_transport:Transport"
TRANSPORT_ALIASES["amqps"] = "{{ cookiecutter.project_slug }}.rabbitmq_transport:SSLTransport"

EXCHANGE = Exchange("tasks", type="topic")
"""Native delayed delivery (countdown, eta, retries) needs a topic exchange."""

log = logging.getLogger(__name__)  # to stderr in commands

TOLERATED_ARGUMENTS = ("x-consumer-timeout", "x-max-length", "x-message-ttl")
"""Arguments that may differ in an existing queue: they depend on settings."""

DEAD_LETTER_ARGUMENTS = {
    "x-queue-type": "quorum",
    "x-delivery-limit": 1_000_000,  # listing dead letters delivers them; by default RabbitMQ drops them after 20
    "x-max-length": env.dead_letters_max_count,  # the oldest are dropped
    "x-message-ttl": env.dead_letters_max_age_days * 86_400_000,  # milliseconds
}


def is_rabbitmq(channel: Any) -> bool:
    """Return whether the broker of a channel is RabbitMQ: tests and the demo use other brokers."""
    return bool(channel.connection.client.transport.driver_type == "amqp")


class TolerantQueue(Queue):
    """A queue that may exist with other arguments. RabbitMQ cannot change them, and rejects a different declaration."""

    def queue_declare(self, nowait: bool = False, passive: bool = False, channel: Any = None) -> Any:
        """Declare the queue. If only a tolerated argument differs, log a warning and use the existing queue."""
        channel = channel or self.channel
        if passive or not is_rabbitmq(channel):
            return super().queue_declare(nowait=nowait, passive=passive, channel=channel)
        try:
            # A separate channel, since RabbitMQ closes it if it rejects the declaration.
            with channel.connection.channel() as separate:
                return super().queue_declare(nowait=nowait, passive=passive, channel=separate)
        except PreconditionFailed as error:
            if not any(f"arg '{argument}'" in str(error) for argument in TOLERATED_ARGUMENTS):
                raise
            log.warning("queue arguments not changed until the queue is deleted: %s: %r", self.name, error)
            return super().queue_declare(passive=True, channel=channel)


DEAD_LETTERS = TolerantQueue("dead_letters", queue_arguments=DEAD_LETTER_ARGUMENTS)
"""The queue of tasks that failed permanently or exceeded the delivery limit; see `dead_letters.py`."""

DEAD_LETTER_REASONS = TolerantQueue("dead_letter_reasons", queue_arguments=DEAD_LETTER_ARGUMENTS)
"""The queue of failure reasons, which a worker cannot add to the headers of a message that it rejects."""

QUEUE_ARGUMENTS = {
    "x-queue-type": "quorum",  # replicated, and written to disk before the publisher confirm
    "x-delivery-limit": 20,  # deliveries; then the message is a dead letter
    "x-dead-letter-exchange": "",  # the default exchange, which delivers to the queue with the name of the routing key
    "x-dead-letter-routing-key": DEAD_LETTERS.name,
    "x-dead-letter-strategy": "at-least-once",  # no loss if RabbitMQ restarts between the two queues
    "x-overflow": "reject-publish",  # required by at-least-once
    "x-consumer-timeout": {{ plan().limits.consumer_timeout * 1000 }},  # milliseconds, longer than any task; RabbitMQ 3.12 or newer
}


class TaskQueue(TolerantQueue):
    """A queue that also declares the objects that it requires, so processes can start in any order."""

    def queue_declare(self, nowait: bool = False, passive: bool = False, channel: Any = None) -> Any:
        """Declare the dead-letter queue first: without it, RabbitMQ drops dead letters."""
        channel = channel or self.channel
        DEAD_LETTERS(channel).queue_declare()
        return super().queue_declare(nowait=nowait, passive=passive, channel=channel)

    def bind_to(self, *args: Any, **kwargs: Any) -> Any:
        """Declare the queue first: for delayed messages, each worker binds all queues, not only its own."""
        self.queue_declare(channel=kwargs.get("channel"))
        return super().bind_to(*args, **kwargs)

    def declare(self, nowait: bool = False, channel: Any = None) -> str | None:
        """Also declare the exchanges for delayed messages: without them, RabbitMQ rejects messages with a delay."""
        channel = channel or self.channel
        name = super().declare(nowait=nowait, channel=channel)
        if is_rabbitmq(channel):
            client = channel.connection.client
            declare_native_delayed_delivery_exchanges_and_queues(client, "quorum")
            bind_queue_to_native_delayed_delivery_exchange(client, self)
        return name


def build_task_queue(name: str) -> TaskQueue:
    """Return the declaration of the queue `name`."""
    return TaskQueue(name, EXCHANGE, routing_key=name, queue_arguments=QUEUE_ARGUMENTS)
