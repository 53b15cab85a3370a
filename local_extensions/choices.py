"""What we know of each answer to the questions that offer a choice. A new answer is an entry here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from local_extensions.literals import string

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Service:
    """A server that the project talks to: its name in Compose, its image, its port, and its systemd unit."""

    name: str
    image: str
    port: int
    unit: str


REDIS = Service("redis", "redis:8-alpine", 6379, "redis-server.service")
RABBITMQ = Service("rabbitmq", "rabbitmq:4-management-alpine", 5672, "rabbitmq-server.service")
POSTGRES = Service("postgres", "postgres:18-alpine", 5432, "postgresql.service")


@dataclass(frozen=True)
class Url:
    """An environment variable that holds the URL of a server.

    Attributes:
        name: the variable's name.
        description: a sentence for its reader.
        schemes: the schemes that it may have; the in-memory one of the tests included.
        example: what somebody with a server on this machine writes.
        demo: the path of the database in the demonstration's embedded Valkey.
        test: what the tests use where no server is named; `{folder}` is a temporary folder of theirs.
        sample: what .env.example says, where `{slug}` is the project's.
    """

    name: str
    description: str
    schemes: tuple[str, ...]
    example: str
    demo: str
    test: str
    sample: str


@dataclass(frozen=True)
class Variable:
    """Another environment variable, a text.

    Attributes:
        name: the variable's name.
        description: a sentence for its reader.
        example: what somebody might write.
        sample: what .env.example says, where `{prefix}` is that of the queues' names on SQS.
        local: what development and the tests use.
        pattern: a regular expression that it must match.
    """

    name: str
    description: str
    example: str
    sample: str
    local: str
    pattern: str

    @property
    def checks(self) -> str:
        """The lines of its field in settings.py that say what it may be."""
        return f"        pattern={string(self.pattern)},\n"


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
        variables: its environment variables, beside the URL.
        config_imports: what celeryconfig.py imports for it.
        sections: the README's sections about it, by their names in templates/readme/.
    """

    extra: str
    service: Service | None
    url: Url
    packages: tuple[str, ...] = ()
    event_pools: tuple[str, ...] = ("prefork", "threads", "gevent")
    queue_import: str = "from kombu import Queue"
    queue_code: str = "Queue(name.value, routing_key=name.value)"
    waits: tuple[tuple[str, str, str], ...] = ()
    variables: tuple[Variable, ...] = ()
    config_imports: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()


@dataclass(frozen=True)
class ResultBackend(Choice):
    """Where results are kept; the one named "none" has no server and no URL.

    Attributes:
        extra: Celery's extra for it, "" for none.
        service: its server.
        url: its environment variable.
        packages: requirements that it adds.
        cleaned: whether beat sends a job of Celery's own that deletes expired results; a server may do so by itself.
    """

    extra: str = ""
    service: Service | None = None
    url: Url | None = None
    packages: tuple[str, ...] = ()
    cleaned: bool = False


@dataclass(frozen=True)
class Scheduler(Choice):
    """Where beat's schedule is kept.

    Attributes:
        beats: how many beats may run, as a sentence.
        extra: Celery's extra for it, "" for none.
        options: of beat's command, with a blank before them, where `{folder}` is a folder of its own.
        keeps: what beat keeps in that folder, as a sentence.
        service: its server.
        url: its environment variable.
        packages: requirements that it adds.
        untyped: modules of these packages that have no types.
    """

    beats: str
    extra: str = ""
    options: str = ""
    keeps: str = ""
    service: Service | None = None
    url: Url | None = None
    packages: tuple[str, ...] = ()
    untyped: tuple[str, ...] = ()

    @property
    def state_comment(self) -> str:
        """A comment on what it keeps, "" if there is nothing."""
        return f"# {self.keeps}\n" if self.keeps else ""


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
            sample="redis://:${{REDIS_PASSWORD}}@redis:6379/0",
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
            sample="amqp://{slug}:${{RABBITMQ_PASSWORD}}@rabbitmq:5672//",
        ),
        # Greenlets that send events while they wait for the broker to confirm them wait for each other for ever.
        event_pools=("prefork", "threads"),
        queue_import="from {slug}.quorum import task_queue",
        queue_code="task_queue(name.value)",
        waits=(
            ("RabbitMQ closes a stuck worker's channel after", "consumer_timeout", "deploy/rabbitmq/rabbitmq.conf"),
        ),
    ),
    Broker(
        "sqs",
        "Amazon SQS",
        extra="sqs",
        service=None,
        url=Url(
            "CELERY_BROKER_URL",
            "The broker: Amazon SQS, with the credentials that AWS's own tools would find.",
            schemes=("sqs", "memory", "redis"),
            example="sqs://",
            demo="/0",
            test="memory://",
            sample="sqs://",
        ),
        event_pools=(),  # SQS has no broadcast: no events, no remote control
        waits=(("SQS hands out a lost worker's task again after", "visibility_timeout", "deploy/aws/queues.yaml"),),
        variables=(
            Variable(
                "AWS_REGION",
                "The region of the queues.",
                example="eu-west-1",
                sample="eu-west-1",
                local="eu-west-1",
                pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$",
            ),
            Variable(
                "SQS_QUEUE_URL_PREFIX",
                "What the URLs of all queues begin with; a queue's name follows.",
                example="https://sqs.eu-west-1.amazonaws.com/123456789012/mail-room-",
                sample="https://sqs.eu-west-1.amazonaws.com/CHANGE_ME/{prefix}",
                local="https://sqs.eu-west-1.amazonaws.com/123456789012/local-",
                pattern=r"^https?://[^/]+/[0-9]{12}/[A-Za-z0-9_-]*$",
            ),
        ),
        config_imports=("from {slug}.sqs import predefined_queues",),
        sections=("sqs.md",),
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
            sample="redis://:${{REDIS_PASSWORD}}@redis:6379/1",
        ),
        packages=(HIREDIS,),
    ),
    ResultBackend(
        "database",
        "PostgreSQL",
        extra="sqlalchemy",
        service=POSTGRES,
        url=Url(
            "CELERY_RESULT_BACKEND",
            "Where results are kept: a PostgreSQL.",
            schemes=("db+postgresql+psycopg", "db+sqlite", "redis"),
            example="db+postgresql+psycopg://user:password@localhost:5432/name?connect_timeout=5",
            demo="/1",
            test="db+sqlite:///{folder}/results.sqlite",
            sample="db+postgresql+psycopg://{slug}:${{POSTGRES_PASSWORD}}@postgres:5432/{slug}?connect_timeout=5",
        ),
        packages=("psycopg[binary]>=3.3",),
        cleaned=True,
    ),
    ResultBackend("none", "none"),
)

SCHEDULERS = (
    Scheduler(
        "file",
        "a file",
        beats="Exactly one beat must run, on all machines together: two would send every job twice.",
        options=" -s {folder}/celerybeat-schedule",
        keeps="When each job ran last, so that a restart neither skips nor repeats one.",
    ),
    Scheduler(
        "redbeat",
        "Redis, by RedBeat",
        beats="Two or more beats may run, on one machine or on several: one sends, the others wait to take over.",
        extra="redis",
        service=REDIS,
        url=Url(
            "REDBEAT_REDIS_URL",
            "Where beat keeps its schedule and its lock: a Redis or a Valkey.",
            schemes=("redis", "rediss"),
            example="redis://localhost:6379/2",
            demo="/2",
            test="redis://localhost:6379/2",
            sample="redis://:${{REDIS_PASSWORD}}@redis:6379/2",
        ),
        packages=("celery-redbeat>=2.4.2,<2.5", HIREDIS),
        untyped=("redbeat.*",),
    ),
)

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
    """Answers that do not work together, why, and what to choose instead.

    Attributes:
        answers: by question; the first is the one to change.
        why: completes the sentence "'answer' ...".
        instead: a right answer to that question.
        longest_task: seconds; a task_time_limit up to this works with the answers.
    """

    answers: Mapping[str, str]
    why: str
    instead: str
    longest_task: int | None = None

    def refuses(self, answers: Mapping[str, object]) -> bool:
        """Whether it is about these answers."""
        if any(answers.get(question) != answer for question, answer in self.answers.items()):
            return False
        return self.longest_task is None or int(str(answers["task_time_limit"])) > self.longest_task

    @property
    def example(self) -> dict[str, str]:
        """Answers that it refuses."""
        limit = {} if self.longest_task is None else {"task_time_limit": str(self.longest_task + 1)}
        return {**self.answers, **limit}


UNSUPPORTED: tuple[Unsupported, ...] = (
    Unsupported(
        {"broker": "sqs"},
        "hides a message from other workers for 12 hours at most, so that task_time_limit is at most 42240 with it",
        "rabbitmq",
        longest_task=42240,  # Limits.visibility_timeout is then 12 hours
    ),
)
