"""The facts about each answer to a question that offers several. A new answer is a record here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Server:
    """A server that a project may need.

    Attributes:
        name: Its service in compose.yaml.
        ports: The ports that it may listen on, without TLS first.
        unit: Its systemd unit on Debian.
    """

    name: str
    ports: tuple[int, ...]
    unit: str


REDIS = Server("redis", (6379,), "redis-server.service")
RABBITMQ = Server("rabbitmq", (5672, 5671), "rabbitmq-server.service")
POSTGRES = Server("postgres", (5432,), "postgresql.service")


@dataclass(frozen=True)
class Choice:
    """An answer to choose.

    Attributes:
        name: The answer in cookiecutter.json.
        label: Its name for people.
        packages: The requirements that it adds.
        extra: The extra of Celery that it needs, or "".
        server: The server that it needs.
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
        setting_prefix: What the names of Celery's settings begin with.
        dev_packages: The requirements that development adds.
        database: What the result backend "database" is with this framework, if not Celery's own.
    """

    celery_settings: str = "celeryconfig.py"
    environment: str = "settings.py"
    setting_prefix: str = ""
    dev_packages: tuple[str, ...] = ()
    database: Choice | None = None


@dataclass(frozen=True)
class Broker(Choice):
    """A broker.

    Attributes:
        example_url: A URL of this broker on the local machine.
        pools_without_events: The pools whose workers cannot send events to it.
        max_queues: How many queues a project may have with it.
    """

    example_url: str = ""
    pools_without_events: tuple[str, ...] = ()
    max_queues: int | None = None


@dataclass(frozen=True)
class Scheduler(Choice):
    """A scheduler of beat. `solar` is whether it supports solar schedules."""

    solar: bool = True


@dataclass(frozen=True)
class Pool(Choice):
    """A pool of a worker. `concurrency` is the default; "auto" is one process for each processor."""

    concurrency: str = "auto"


HIREDIS = "hiredis>=3.5"

FRAMEWORKS = (
    Framework("none", "no framework"),
    Framework(
        "fastapi",
        "FastAPI",
        packages=("fastapi>=0.165", "uvicorn>=0.54"),
        dev_packages=("httpx2>=2.16",),
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
        # Greenlets that send events, and wait for the broker's confirmation, wait for each other forever.
        pools_without_events=("gevent",),
    ),
    Broker(
        "sqs",
        "Amazon SQS",
        extra="sqs",
        example_url="sqs://",
        max_queues=45,  # an IAM policy names each of them, and has at most 6144 characters
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
    # The admin offers solar schedules.
    Scheduler("database", "Django's database", packages=("django-celery-beat>=2.9",), extra="solar"),
)

POOLS = (
    Pool("prefork", "processes"),
    Pool("threads", "threads", concurrency="20"),
    Pool("gevent", "greenlets", concurrency="100", extra="gevent"),
)

CIS = (Choice("github", "GitHub Actions"), Choice("gitlab", "GitLab CI/CD"), Choice("none", "none"))

LICENSES = (
    Choice("MIT", "MIT License"),
    Choice("Apache-2.0", "Apache License 2.0"),
    Choice("Proprietary", "proprietary"),
)

PYTHON_VERSIONS = tuple(Choice(version, f"Python {version}") for version in ("3.13", "3.12", "3.14", "3.11"))


@dataclass(frozen=True)
class Unsupported:
    """Answers that do not work together.

    Attributes:
        answers: The answers by question; the first is the one to change.
        why: The reason, which completes the sentence "'answer' ...".
        instead: An answer to that question that works.
        longest_task: The longest task_time_limit in seconds that works with the answers.
    """

    answers: Mapping[str, str]
    why: str
    instead: str
    longest_task: int | None = None

    def refuses(self, answers: Mapping[str, object]) -> bool:
        """Return whether it applies to these answers."""
        if any(answers.get(question) != answer for question, answer in self.answers.items()):
            return False
        return self.longest_task is None or int(str(answers.get("task_time_limit", 0))) > self.longest_task

    @property
    def example(self) -> dict[str, str]:
        """Answers that it refuses."""
        limit = {} if self.longest_task is None else {"task_time_limit": str(self.longest_task + 1)}
        return {**self.answers, **limit}


UNSUPPORTED: tuple[Unsupported, ...] = (
    *(
        Unsupported(
            {"beat_scheduler": "database", "framework": framework},
            "keeps the schedule where Django's admin edits it, and needs framework 'django'",
            "redbeat",
        )
        for framework in ("none", "fastapi")
    ),
    Unsupported(
        {"broker": "sqs"},
        "hides a message from other workers for 12 hours at most, so that task_time_limit is at most 43140 with it",
        "rabbitmq",
        longest_task=43140,  # a minute less than 12 hours
    ),
)
