"""Quorum queues: replicated, on disk, and with an end for tasks that kill one worker after the other.

https://www.rabbitmq.com/docs/quorum-queues
"""

from typing import Any

import structlog
from amqp.exceptions import PreconditionFailed
from kombu import Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport.native_delayed_delivery import (
    bind_queue_to_native_delayed_delivery_exchange,
    declare_native_delayed_delivery_exchanges_and_queues,
)

TRANSPORT_ALIASES["amqp"] = "{{ cookiecutter.project_slug }}.rabbitmq_transport:Transport"
TRANSPORT_ALIASES["amqps"] = "{{ cookiecutter.project_slug }}.rabbitmq_transport:SSLTransport"

EXCHANGE = Exchange("tasks", type="topic")
"""Native delayed delivery (countdown, eta, retries) needs a topic exchange."""

log = structlog.get_logger(__name__)

DEAD_LETTERS = Queue(
    "dead_letters",
    queue_arguments={
        "x-queue-type": "quorum",
        "x-delivery-limit": 1_000_000,  # to look at them is a delivery; RabbitMQ's default would drop them after 20
    },
)
"""Where a task ends that failed for good, or that took one worker after the other with it; see `dead_letters.py`."""

DEAD_LETTER_REASONS = Queue(
    "dead_letter_reasons",
    queue_arguments={
        "x-queue-type": "quorum",
        "x-delivery-limit": 1_000_000,  # as above
        "x-max-length": 10_000,  # the oldest are dropped
    },
)
"""Why tasks failed: RabbitMQ keeps the headers of a rejected message, so the worker cannot add the exception to them."""

QUEUE_ARGUMENTS = {
    "x-queue-type": "quorum",  # replicated, and written to disk before a publish is confirmed
    "x-delivery-limit": 20,  # deliveries; a message that outlives so many workers is poison
    "x-dead-letter-exchange": "",  # the default exchange, which delivers to the queue of the routing key's name
    "x-dead-letter-routing-key": DEAD_LETTERS.name,
    "x-dead-letter-strategy": "at-least-once",  # survives a restart on the way between the two queues
    "x-overflow": "reject-publish",  # that strategy asks for it
    "x-consumer-timeout": {{ plan().limits.consumer_timeout * 1000 }},  # milliseconds; a task may take less; since RabbitMQ 3.12
}


def is_rabbitmq(channel: Any) -> bool:
    """Return whether a channel is RabbitMQ's: tests and demonstrations have other brokers."""
    return bool(channel.connection.client.transport.driver_type == "amqp")


class TaskQueue(Queue):
    """A queue that brings along what it needs, so that it does not matter who starts first."""

    def queue_declare(self, nowait: bool = False, passive: bool = False, channel: Any = None) -> Any:
        """Declare the dead letters' queue first: RabbitMQ drops a dead letter that has nowhere to go."""
        channel = channel or self.channel
        DEAD_LETTERS(channel).queue_declare()
        if not is_rabbitmq(channel):
            return super().queue_declare(nowait=nowait, passive=passive, channel=channel)
        try:
            with channel.connection.channel() as own:  # RabbitMQ closes the channel of a declaration that it refuses
                return super().queue_declare(nowait=nowait, passive=passive, channel=own)
        except PreconditionFailed as error:
            if "x-consumer-timeout" not in str(error):
                raise
            # It changes no argument of a queue, and this one follows from the time limit of tasks.
            log.warning("consumer timeout unchanged until the queue is deleted", queue=self.name, error=repr(error))
            return super().queue_declare(passive=True, channel=channel)

    def bind_to(self, *args: Any, **kwargs: Any) -> Any:
        """Declare the queue first: each worker binds all queues for delayed messages, its own or not."""
        self.queue_declare(channel=kwargs.get("channel"))
        return super().bind_to(*args, **kwargs)

    def declare(self, nowait: bool = False, channel: Any = None) -> str | None:
        """Declare the exchanges for delayed messages, too: without them RabbitMQ refuses a countdown."""
        channel = channel or self.channel
        name = super().declare(nowait=nowait, channel=channel)
        if is_rabbitmq(channel):
            client = channel.connection.client
            declare_native_delayed_delivery_exchanges_and_queues(client, "quorum")
            bind_queue_to_native_delayed_delivery_exchange(client, self)
        return name


def task_queue(name: str) -> TaskQueue:
    """The declaration of the queue `name`."""
    return TaskQueue(name, EXCHANGE, routing_key=name, queue_arguments=QUEUE_ARGUMENTS)
