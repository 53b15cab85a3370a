"""The broker: a RabbitMQ whose queues are what `quorum.py` declares.

RabbitMQ tells its clients neither how long a message has waited, nor its consumer_timeout. That is read from
`deploy/rabbitmq/rabbitmq.conf`, where the doctor runs in a checkout of the project.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kombu import Connection, Queue

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.doctor.checks import backlog, dead_letters
from {{ cookiecutter.project_slug }}.doctor.findings import Finding, failure, ok
from {{ cookiecutter.project_slug }}.queues import TASK_QUEUES
from {{ cookiecutter.project_slug }}.quorum import DEAD_LETTERS

CONFIGURATION = Path(__file__).parents[3] / "deploy" / "rabbitmq" / "rabbitmq.conf"
"""The server's, in a checkout of this project."""


def examine() -> Iterator[Finding]:
    """Ask the server for its queues."""
    with app.connection_for_read() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0)  # or it would pause between two attempts
        server: Any = connection.connection
        yield ok("broker", f"RabbitMQ {server.server_properties['version']} answers")
        refused = {queue.name: refusal(connection, queue) for queue in (*TASK_QUEUES, DEAD_LETTERS)}
        yield queue_types(refused)
        for queue in TASK_QUEUES:
            if refused[queue.name] != MISSING:
                yield backlog(queue.name, waiting(connection, queue))
        if refused[DEAD_LETTERS.name] != MISSING:
            yield dead_letters(waiting(connection, DEAD_LETTERS))
    if CONFIGURATION.exists():
        yield consumer_timeout(CONFIGURATION.read_text(encoding="utf-8"), app.conf.task_time_limit)


MISSING = "it does not exist"


def waiting(connection: Connection, queue: Queue) -> int:
    """How many messages wait in a queue.

    Raises:
        amqp.exceptions.NotFound: there is no such queue.
    """
    channel: Any = connection.channel()  # one for each question: RabbitMQ closes it where the answer is no
    return int(channel.queue_declare(queue=queue.name, passive=True).message_count)


def refusal(connection: Connection, queue: Queue) -> str:
    """Why RabbitMQ would not take our declaration of a queue that it has; "" if it is the same."""
    try:
        waiting(connection, queue)
        # To declare it again changes nothing, and RabbitMQ compares each argument: there is no other way to read them.
        Queue.queue_declare(queue(connection.channel()))
    except connection.channel_errors as error:
        code, text = getattr(error, "code", 0), getattr(error, "reply_text", str(error))
        return MISSING if code == 404 else str(text)
    return ""


def queue_types(refused: Mapping[str, str]) -> Finding:
    """Whether the queues are quorum queues with a delivery limit and a way to the dead letters: see `quorum.py`.

    Args:
        refused: for each queue what is different; "" if nothing is.
    """
    different = {name: why for name, why in refused.items() if why}
    what = "; ".join(f"{name}: {why}" for name, why in different.items())
    if MISSING in different.values():
        return failure("queues", what, "start a worker, which declares it")
    if different:
        advice = "RabbitMQ changes no queue: stop what sends to it, let it run empty, delete it, and start its worker"
        return failure("queues", what, advice)
    return ok("queues", "quorum, with a delivery limit and dead letters, as quorum.py declares them")


def consumer_timeout(configuration: str, time_limit: int) -> Finding:
    """Whether RabbitMQ waits for a worker's acknowledgement for longer than a task may take, in seconds."""
    found = re.search(r"^consumer_timeout *= *(\d+)", configuration, re.MULTILINE)
    seconds = int(found[1]) // 1000 if found else 1800
    what = f"{seconds} s in rabbitmq.conf, and a task may take {time_limit} s"
    if seconds <= time_limit:
        return failure("consumer timeout", what, "raise consumer_timeout: RabbitMQ takes a long task from its worker")
    return ok("consumer timeout", what)
