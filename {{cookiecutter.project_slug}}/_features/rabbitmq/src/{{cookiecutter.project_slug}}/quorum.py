"""Quorum queues: replicated, on disk, and with an end for tasks that kill one worker after the other.

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

log = logging.getLogger(__name__)  # to stderr in a command

CHANGEABLE = ("x-consumer-timeout", "x-max-length", "x-message-ttl")
"""Arguments with which a queue works that has others: they follow from settings."""

RETENTION = {
    "x-queue-type": "quorum",
    "x-delivery-limit": 1_000_000,  # to look at them is a delivery; RabbitMQ's default would drop them after 20
    "x-max-length": env.dead_letters_max_count,  # the oldest are dropped
    "x-message-ttl": env.dead_letters_max_age_days * 86_400_000,  # milliseconds
}


def is_rabbitmq(channel: Any) -> bool:
    """Return whether a channel is RabbitMQ's: tests and demonstrations have other brokers."""
    return bool(channel.connection.client.transport.driver_type == "amqp")


class TolerantQueue(Queue):
    """A queue that may exist with other arguments: RabbitMQ changes none, and refuses a declaration that differs."""

    def queue_declare(self, nowait: bool = False, passive: bool = False, channel: Any = None) -> Any:
        """Declare the queue; where only a changeable argument differs, log a warning and use the queue as it is."""
        channel = channel or self.channel
        if passive or not is_rabbitmq(channel):
            return super().queue_declare(nowait=nowait, passive=passive, channel=channel)
        try:
            with channel.connection.channel() as own:  # RabbitMQ closes the channel of a declaration that it refuses
                return super().queue_declare(nowait=nowait, passive=passive, channel=own)
        except PreconditionFailed as error:
            if not any(f"arg '{argument}'" in str(error) for argument in CHANGEABLE):
                raise
            log.warning("queue arguments not changed until the queue is deleted: %s: %r", self.name, error)
            return super().queue_declare(passive=True, channel=channel)


DEAD_LETTERS = TolerantQueue("dead_letters", queue_arguments=RETENTION)
"""Where a task ends that failed for good, or that took one worker after the other with it; see `dead_letters.py`."""

DEAD_LETTER_REASONS = TolerantQueue("dead_letter_reasons", queue_arguments=RETENTION)
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


class TaskQueue(TolerantQueue):
    """A queue that brings along what it needs, so that it does not matter who starts first."""

    def queue_declare(self, nowait: bool = False, passive: bool = False, channel: Any = None) -> Any:
        """Declare the dead letters' queue first: RabbitMQ drops a dead letter that has nowhere to go."""
        channel = channel or self.channel
        DEAD_LETTERS(channel).queue_declare()
        return super().queue_declare(nowait=nowait, passive=passive, channel=channel)

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
