"""What we know of each answer to the questions that offer a choice. A new answer is an entry here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Service:
    """A server that the project talks to: its name in Compose, its image, and its port."""

    name: str
    image: str
    port: int


REDIS = Service("redis", "redis:8-alpine", 6379)
RABBITMQ = Service("rabbitmq", "rabbitmq:4-management-alpine", 5672)


@dataclass(frozen=True)
class Url:
    """An environment variable that holds the URL of a server.

    Attributes:
        name: the variable's name.
        description: a sentence for its reader.
        schemes: the schemes that it may have; the in-memory one of the tests included.
        example: what somebody with a server on this machine writes.
        demo: the path of the database in the demonstration's embedded Valkey.
        test: what the tests use where no server is named.
    """

    name: str
    description: str
    schemes: tuple[str, ...]
    example: str
    demo: str
    test: str


@dataclass(frozen=True)
class Choice:
    """An answer to choose, by its name in cookiecutter.json and its name for people."""

    name: str
    label: str


@dataclass(frozen=True)
class Framework(Choice):
    """What the tasks live in.

    Attributes:
        task_module: the module of the class that tasks derive from.
        task_class: that class.
        packages: requirements that it adds.
    """

    task_module: str
    task_class: str
    packages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Broker(Choice):
    """What carries the messages.

    Attributes:
        extra: Celery's extra for it, "" for none.
        service: its server.
        url: its environment variable.
        packages: requirements that it adds.
        event_pools: the pools whose workers send events of tasks, which Flower and the exporters read.
        queue_import: where the class or function comes from that declares a queue.
        queue_code: the code that declares the queue `name`.
        waits: for the README: what the broker does after a limit, that attribute of `Limits`, where it is set.
    """

    extra: str
    service: Service
    url: Url
    packages: tuple[str, ...] = ()
    event_pools: tuple[str, ...] = ("prefork", "threads", "gevent")
    queue_import: str = "from kombu import Queue"
    queue_code: str = "Queue(name.value, routing_key=name.value)"
    waits: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class ResultBackend(Choice):
    """Where results are kept; the one named "none" has no server and no URL."""

    extra: str = ""
    service: Service | None = None
    url: Url | None = None
    packages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scheduler(Choice):
    """Where beat's schedule is kept."""

    packages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pool(Choice):
    """How a worker runs several tasks at a time.

    Attributes:
        concurrency: how many, if the answer does not say; "auto" is one for each processor.
        extra: Celery's extra for it, "" for none.
    """

    concurrency: str
    extra: str = ""


@dataclass(frozen=True)
class License(Choice):
    """The project's licence; `spdx` is what pyproject.toml says."""

    spdx: str


HIREDIS = "hiredis>=3.5"

FRAMEWORKS = (Framework("none", "no framework", task_module="celery", task_class="Task"),)

BROKERS = (
    Broker(
        "redis",
        "Redis",
        extra="redis",
        service=REDIS,
        url=Url(
            "CELERY_BROKER_URL",
            "The broker: a Redis or a Valkey.",
            schemes=("redis", "rediss", "memory"),
            example="redis://localhost:6379/0",
            demo="/0",
            test="memory://",
        ),
        packages=(HIREDIS,),
        waits=(("Redis hands out a lost worker's task again after", "visibility_timeout", "celeryconfig.py"),),
    ),
    Broker(
        "rabbitmq",
        "RabbitMQ",
        extra="",
        service=RABBITMQ,
        url=Url(
            "CELERY_BROKER_URL",
            "The broker: a RabbitMQ.",
            schemes=("amqp", "amqps", "memory", "redis"),
            example="amqp://user:password@localhost:5672//",
            demo="/0",
            test="memory://",
        ),
        # Greenlets that send events while they wait for the broker to confirm them wait for each other for ever.
        event_pools=("prefork", "threads"),
        queue_import="from {slug}.quorum import task_queue",
        queue_code="task_queue(name.value)",
        waits=(
            ("RabbitMQ closes a stuck worker's channel after", "consumer_timeout", "deploy/rabbitmq/rabbitmq.conf"),
        ),
    ),
)

RESULT_BACKENDS = (
    ResultBackend(
        "redis",
        "Redis",
        extra="redis",
        service=REDIS,
        url=Url(
            "CELERY_RESULT_BACKEND",
            "Where results are kept: a Redis or a Valkey, in a database of its own.",
            schemes=("redis", "rediss", "cache+memory"),
            example="redis://localhost:6379/1",
            demo="/1",
            test="cache+memory://",
        ),
        packages=(HIREDIS,),
    ),
    ResultBackend("none", "none"),
)

SCHEDULERS = (Scheduler("file", "a file"),)

POOLS = (
    Pool("prefork", "processes", concurrency="auto"),
    Pool("threads", "threads", concurrency="20"),
    Pool("gevent", "greenlets", concurrency="100", extra="gevent"),
)

CIS = (Choice("github", "GitHub Actions"), Choice("gitlab", "GitLab CI/CD"), Choice("none", "none"))

LICENSES = (
    License("MIT", "MIT License", spdx="MIT"),
    License("Apache-2.0", "Apache License 2.0", spdx="Apache-2.0"),
    License("Proprietary", "proprietary", spdx="LicenseRef-Proprietary"),
)

PYTHONS = tuple(Choice(version, f"Python {version}") for version in ("3.13", "3.12", "3.14", "3.11"))


@dataclass(frozen=True)
class Unsupported:
    """Answers that do not work together, why, and what to choose instead."""

    answers: Mapping[str, str]
    why: str
    instead: str


UNSUPPORTED: tuple[Unsupported, ...] = ()
