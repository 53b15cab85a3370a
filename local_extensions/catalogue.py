"""The records of all choices. To add a choice, add a record."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Server:
    """A server that a project can depend on.

    Attributes:
        name: The name of the service in compose.yaml.
        ports: The default ports, the one without TLS first.
        unit: The name of the systemd unit on Debian.
    """

    name: str
    ports: tuple[int, ...]
    unit: str


REDIS = Server("redis", (6379,), "redis-server.service")
RABBITMQ = Server("rabbitmq", (5672, 5671), "rabbitmq-server.service")
POSTGRES = Server("postgres", (5432,), "postgresql.service")


@dataclass(frozen=True)
class Choice:
    """A choice of a question.

    Attributes:
        name: The choice in cookiecutter.json.
        label: The display name.
        packages: The requirements that it adds.
        extra: The Celery extra that it requires, or "".
        server: The server that it requires.
    """

    name: str
    label: str
    packages: tuple[str, ...] = ()
    extra: str = ""
    server: Server | None = None


@dataclass(frozen=True)
class Framework(Choice):
    """A framework.

    Attributes:
        celery_settings: The module of Celery's settings, in the project's package.
        environment: The module that reads the environment variables.
        setting_prefix: The prefix of the names of Celery's settings.
        instrumentation: The requirements of the extra "tracing" that trace its requests.
        dev_packages: The requirements for development that it adds.
        database: The framework's replacement for the result backend "database", if any.
    """

    celery_settings: str = "celeryconfig.py"
    environment: str = "settings.py"
    setting_prefix: str = ""
    dev_packages: tuple[str, ...] = ()
    database: Choice | None = None
    instrumentation: tuple[str, ...] = ()


@dataclass(frozen=True)
class Broker(Choice):
    """A broker.

    Attributes:
        example_url: A URL of this broker on the local machine.
        pools_without_events: The pools whose workers cannot send events to this broker.
        max_queues: The maximum number of queues, if any.
    """

    example_url: str = ""
    pools_without_events: tuple[str, ...] = ()
    max_queues: int | None = None


@dataclass(frozen=True)
class Scheduler(Choice):
    """A beat scheduler. `solar` tells whether it supports solar schedules."""

    solar: bool = True


@dataclass(frozen=True)
class Pool(Choice):
    """A worker pool. `concurrency` is the default; "auto" is the number of CPUs."""

    concurrency: str = "auto"


HIREDIS = "hiredis>=3.5"

FRAMEWORKS = (
    Framework("none", "no framework"),
    Framework(
        "fastapi",
        "FastAPI",
        packages=("fastapi>=0.165", "uvicorn>=0.54"),
        dev_packages=("httpx2>=2.16",),
        instrumentation=("opentelemetry-instrumentation-fastapi>=0.66b2",),
    ),
    Framework(
        "django",
        "Django",
        packages=(
            "dj-database-url>=3.1",
            "django-ninja>=1.7",
            "django>=5.2,<6.1",  # django-celery-beat 2.9 requires <6.1; 5.2 is the last release for Python 3.11
            "gunicorn>=26.0",
            "psycopg[binary]>=3.3",
            "whitenoise>=6.12",
        ),
        server=POSTGRES,
        celery_settings="settings/celery.py",
        environment="settings/environment.py",
        setting_prefix="CELERY_",
        dev_packages=("django-stubs>=6.0", "factory-boy>=3.3", "pytest-django>=4.14", "types-gunicorn>=23"),
        database=Choice("database", "Django's database", packages=("django-celery-results>=2.6",)),
        instrumentation=("opentelemetry-instrumentation-django>=0.66b2",),
    ),
)

BROKERS = (
    Broker(
        "redis",
        "Redis",
        packages=(HIREDIS,),
        extra="redis",
        server=REDIS,
        example_url="redis://localhost:6379/0",
    ),
    Broker(
        "rabbitmq",
        "RabbitMQ",
        server=RABBITMQ,
        example_url="amqp://user:password@localhost:5672//",
        # With publisher confirms, greenlets that send events deadlock.
        pools_without_events=("gevent",),
    ),
    Broker(
        "sqs",
        "Amazon SQS",
        extra="sqs",
        example_url="sqs://",
        max_queues=45,  # an IAM policy lists all queues and has at most 6144 characters
    ),
)

RESULT_BACKENDS = (
    Choice("redis", "Redis", packages=(HIREDIS,), extra="redis", server=REDIS),
    Choice("database", "PostgreSQL", packages=("psycopg[binary]>=3.3",), extra="sqlalchemy", server=POSTGRES),
    Choice("none", "none"),
)

SCHEDULERS = (
    Scheduler("file", "a file"),
    Scheduler(
        "redbeat",
        "Redis, by RedBeat",
        packages=("celery-redbeat>=2.4.2,<2.5", HIREDIS),
        extra="redis",
        server=REDIS,
        solar=False,  # RedBeatJSONEncoder supports intervals, crontabs and its own rrule
    ),
    # The admin offers solar schedules, which require ephem.
    Scheduler("database", "Django's database", packages=("django-celery-beat>=2.9",), extra="solar"),
)

POOLS = (
    Pool("prefork", "processes"),
    Pool("threads", "threads", concurrency="20"),
    Pool("gevent", "greenlets", concurrency="100", extra="gevent"),
)

TRACING = Choice(
    "tracing",
    "OpenTelemetry traces",
    packages=(
        "opentelemetry-exporter-otlp-proto-http>=1.45",
        "opentelemetry-instrumentation-celery>=0.66b2",
        "opentelemetry-sdk>=1.45",
    ),
)

HISTORY = Choice("history", "a run history")

OUTBOX = Choice("outbox", "a transactional outbox")

LIMITS = Choice("limits", "limits and unique tasks by key")

EXTRAS = (TRACING, HISTORY, OUTBOX, LIMITS)

CIS = (Choice("github", "GitHub Actions"), Choice("gitlab", "GitLab CI/CD"), Choice("none", "none"))

LICENSES = (
    Choice("MIT", "MIT License"),
    Choice("Apache-2.0", "Apache License 2.0"),
    Choice("Proprietary", "proprietary"),
)

PYTHON_VERSIONS = tuple(Choice(version, f"Python {version}") for version in ("3.13", "3.12", "3.14", "3.11"))


@dataclass(frozen=True)
class Unsupported:
    """An unsupported combination of answers.

    Attributes:
        answers: The answers by question, each with its alternatives; for extras, some of the list. The error names the
            first answer to the first question.
        reason: The predicate of a sentence whose subject is this answer.
        alternative: A supported answer to the first question.
        max_task_time_limit: The largest supported task_time_limit in seconds.
    """

    answers: Mapping[str, tuple[str, ...]]
    reason: str
    alternative: str
    max_task_time_limit: int | None = None

    def refuses(self, answers: Mapping[str, object]) -> bool:
        """Return whether these answers are the unsupported combination."""
        for question, alternatives in self.answers.items():
            if not set(alternatives).intersection(str(answers.get(question)).split(", ")):
                return False
        return (
            self.max_task_time_limit is None or int(str(answers.get("task_time_limit", 0))) > self.max_task_time_limit
        )

    @property
    def examples(self) -> tuple[dict[str, str], ...]:
        """Return all answers that are unsupported."""
        limit = {} if self.max_task_time_limit is None else {"task_time_limit": str(self.max_task_time_limit + 1)}
        return tuple(
            {**dict(zip(self.answers, answers, strict=True)), **limit} for answers in product(*self.answers.values())
        )


OUTBOX_REASON = (
    "stores tasks in a database and requires framework 'django', or framework 'fastapi' with result_backend 'database'"
)

UNSUPPORTED: tuple[Unsupported, ...] = (
    Unsupported(
        {"beat_scheduler": ("database",), "framework": ("none", "fastapi")},
        "stores the schedule in Django's database and requires framework 'django'",
        "redbeat",
    ),
    Unsupported({"extras": ("outbox",), "framework": ("none",)}, OUTBOX_REASON, "tracing"),
    Unsupported(
        {"extras": ("outbox",), "framework": ("fastapi",), "result_backend": ("redis", "none")},
        OUTBOX_REASON,
        "tracing",
    ),
    Unsupported(
        {"extras": ("limits",), "broker": ("rabbitmq", "sqs"), "result_backend": ("database", "none")},
        "requires Redis as the broker or the result backend",
        "tracing",
    ),
    Unsupported(
        {"extras": ("history",), "framework": ("none", "fastapi"), "result_backend": ("redis", "none")},
        "stores runs in a database and requires framework 'django' or result_backend 'database'",
        "tracing",
    ),
    Unsupported(
        {"broker": ("sqs",)},
        "limits the visibility timeout to 12 hours; the maximum task_time_limit is 43140",
        "rabbitmq",
        max_task_time_limit=43140,  # a minute less than 12 hours
    ),
)
