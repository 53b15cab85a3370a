"""The doctor's checks of RabbitMQ. Facts that AMQP cannot query are `unknown`."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from amqp.exceptions import AccessRefused, NotFound, PreconditionFailed
from kombu import Connection, Queue

from {{ cookiecutter.project_slug }}.findings import Note, Unknown
from {{ cookiecutter.project_slug }}.queues import TASK_QUEUES
from {{ cookiecutter.project_slug }}.quorum import DEAD_LETTER_REASONS, DEAD_LETTERS, QUEUE_ARGUMENTS
from {{ cookiecutter.project_slug }}.tls_checks import check_tls

CONSUMER_TIMEOUT = QUEUE_ARGUMENTS["x-consumer-timeout"]
"""Milliseconds."""


def list_checks(connection: Connection) -> dict[str, Callable[[], Iterable[str]]]:
    """Return the checks of the broker."""
    server: Any = connection.connection
    every = {
        "consumer timeout": lambda: check_consumer_timeout(server.server_properties["version"]),
        "arguments": lambda: check_arguments(connection),
        "queues": lambda: check_queues(connection),
        "TLS": lambda: check_tls(server.transport.sock),
    }
    return {f"broker: {name}": check for name, check in every.items()}


def check_consumer_timeout(version: str) -> Iterator[str]:
    """Report an unknown consumer timeout, which may be shorter than the longest task.

    RabbitMQ applies the argument of the queue since 3.12, and its own timeout before. A policy can lower it.
    """
    if tuple(map(int, version.split(".")[:2])) < (3, 12):
        yield Unknown(
            f"RabbitMQ {version} applies only its own consumer_timeout, which AMQP cannot query. It must be at least"
            f" {CONSUMER_TIMEOUT} ms: rabbitmqctl eval 'application:get_env(rabbit, consumer_timeout).'"
        )
    else:
        yield Note("policies are not checked: one with a lower consumer-timeout applies")


def check_arguments(connection: Connection) -> Iterator[str]:
    """Report queues whose arguments differ from those of this release."""
    for queue in (*TASK_QUEUES, DEAD_LETTERS, DEAD_LETTER_REASONS):
        if count_ready(connection, queue) is None:
            yield Note(f"{queue.name} does not exist yet")
            continue
        try:
            with connection.channel() as channel:  # RabbitMQ closes the channel after a refused declaration
                Queue(queue.name, queue_arguments=queue.queue_arguments)(channel).queue_declare()
        except PreconditionFailed as error:
            yield f"{error.reply_text}: delete {queue.name} once it is empty, or set a policy"
        except AccessRefused as error:
            yield Unknown(f"{queue.name} is not checked: {error.reply_text}")


def check_queues(connection: Connection) -> Iterator[str]:
    """Note the number of ready messages. AMQP cannot query the others."""
    for queue in TASK_QUEUES:
        yield Note(f"{queue.name}: {count_ready(connection, queue) or 0} ready")


def count_ready(connection: Connection, queue: Queue) -> int | None:
    """Return the number of ready messages of a queue; None if it does not exist."""
    try:
        with connection.channel() as channel:
            declared: Any = Queue(queue.name)(channel).queue_declare(passive=True)
            return int(declared.message_count)
    except NotFound:
        return None
