"""What we know of each answer to the questions that offer a choice. A new answer is an entry here.

Each entry is itself and no other, so that its class needs neither `__eq__` nor `__repr__`: making them takes time in
each bake.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from local_extensions.literals import string

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, eq=False, repr=False)
class Service:
    """A server that the project talks to: its name in Compose, its image, its port, its unit, and its port for TLS."""

    name: str
    image: str
    port: int
    unit: str
    tls_port: int | None = None

    @property
    def ports(self) -> tuple[int, ...]:
        """Where it may listen."""
        return (self.port, *((self.tls_port,) if self.tls_port else ()))


REDIS = Service("redis", "redis:8-alpine", 6379, "redis-server.service")
RABBITMQ = Service("rabbitmq", "rabbitmq:4-management-alpine", 5672, "rabbitmq-server.service", 5671)
POSTGRES = Service("postgres", "postgres:18-alpine", 5432, "postgresql.service")

MONITORS = (
    Service("prometheus", "prom/prometheus:v3.7.3", 9090, "prometheus.service"),
    Service("grafana", "grafana/grafana:12.2.1", 3000, "grafana-server.service"),
)


@dataclass(frozen=True, eq=False, repr=False)
class Url:
    """An environment variable that holds the URL of a server.

    Attributes:
        name: the variable's name.
        description: a sentence for its reader.
        schemes: the schemes that it may have; the in-memory one of the tests included.
        example: what somebody with a server on this machine writes.
        demo: the path of the database in the demonstration's embedded Valkey; "" if it is not there.
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


@dataclass(frozen=True, eq=False, repr=False)
class Variable:
    """Another environment variable, a text.

    Attributes:
        name: the variable's name.
        description: a sentence for its reader.
        example: what somebody might write.
        sample: what .env.example says, where `{prefix}` is that of the queues' names on SQS; where it is "" and the
            name ends in `_KEY`, `make up` writes a random one.
        local: what development and the tests use.
        default: what it is where it is not set; without one it is required.
        at_least: characters that it must have.
        optional: whether nothing has to be said, and "" is right.
        pattern: a regular expression that it must match.
        hosted: what config.env for Kubernetes says, if not what .env.example does.
    """

    name: str
    description: str
    example: str
    sample: str = ""
    local: str = ""
    default: str | None = None
    at_least: int = 0
    optional: bool = False
    pattern: str = ""
    hosted: str = ""

    @property
    def secret(self) -> bool:
        """Whether nobody but the project may know it."""
        return self.name.endswith("_KEY")

    @property
    def needed(self) -> str:
        """For the README: its default, or that it is required."""
        return "" if self.optional else self.default or "required"

    @property
    def checks(self) -> str:
        """The lines of its field in settings.py that say what it may be."""
        lines = [] if self.default is None else [f"default={string(self.default)}"]
        if self.at_least:
            lines.append(f"min_length={self.at_least}")
        if self.default is not None and len(lines) > 1:
            lines.append("validate_default=False")
        if self.pattern:
            lines.append(f"pattern={string(self.pattern)}")
        return "".join(f"        {line},\n" for line in lines)


@dataclass(frozen=True, eq=False, repr=False)
class Choice:
    """An answer to choose, by its name in cookiecutter.json and its name for people."""

    name: str
    label: str


@dataclass(frozen=True, eq=False, repr=False)
class Framework(Choice):
    """What the tasks live in.

    Attributes:
        task_module: the module of the class that tasks derive from.
        task_class: that class.
        celery_settings: where Celery's settings are, in the project's package.
        environment: where the environment is read.
        develops: what `make dev` runs.
        namespace: what the names of Celery's settings begin with, in capitals; "" if they are as Celery has them.
        packages: requirements that it adds.
        dev_packages: requirements that working on it adds.
        web: whether it serves HTTP, so that tasks come in that way.
        services: its services in Compose, by their names in templates/compose/.
        picture: its line in the README's picture, in Mermaid; "" for none.
        first: those of them that end before the others start.
        sections: its sections of README.md, by their names in templates/readme/.
        places: for AGENTS.md: what is where, `{slug}` being the project's.
        service: its database's server.
        url: its database's environment variable.
        variables: its environment variables, beside the URL.
        image_build: lines of the Dockerfile that finish the build, where `{slug}` is the project's.
        image_run: likewise for the image itself.
        release: likewise of install.sh, that finish a release.
        result_backends: what it has in place of the result backends of these names.
        test_settings: variables that say where the tests' settings are, where `{slug}` is the project's.
        mypy_plugins: plugins of mypy that it adds.
        untyped: modules without types that it adds.
        mypy: lines that it adds to mypy's settings, each after a line break.
        ruff: likewise to ruff's settings.
        ruff_ignores: likewise to what ruff ignores in some files.
        git_ignores: lines that it adds to .gitignore, the first and the last of them empty.
        tools: lines that it adds to the end of pyproject.toml, where `{slug}` is the project's.
    """

    task_module: str
    task_class: str
    celery_settings: str = "celeryconfig.py"
    environment: str = "settings.py"
    develops: str = "one worker that restarts when a file changes"
    namespace: str = ""
    packages: tuple[str, ...] = ()
    dev_packages: tuple[str, ...] = ()
    web: bool = False
    services: tuple[str, ...] = ()
    picture: str = ""
    first: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    places: tuple[tuple[str, str], ...] = ()
    service: Service | None = None
    url: Url | None = None
    variables: tuple[Variable, ...] = ()
    image_build: str = ""
    image_run: str = ""
    release: str = ""
    result_backends: Mapping[str, ResultBackend] = field(default_factory=dict)
    test_settings: Mapping[str, str] = field(default_factory=dict)
    mypy_plugins: tuple[str, ...] = ()
    untyped: tuple[str, ...] = ()
    mypy: str = ""
    ruff: str = ""
    ruff_ignores: str = ""
    git_ignores: str = ""
    tools: str = ""

    def setting(self, name: str) -> str:
        """What a setting of Celery is called there."""
        return f"{self.namespace}{name.upper()}" if self.namespace else name


@dataclass(frozen=True, eq=False, repr=False)
class Broker(Choice):
    """What carries the messages.

    Attributes:
        extra: Celery's extra for it, "" for none.
        service: its server.
        url: its environment variable.
        packages: requirements that it adds.
        events: whether it can broadcast, which events, remote control and so Flower need.
        worker_options: options of the workers of a pool.
        events_hang: pools whose workers must send no events.
        shows_oldest: whether it tells for how long the oldest task has waited.
        counts_dead_letters: whether a worker may ask it how many dead letters there are.
        queue_import: where the class or function comes from that declares a queue.
        queue_code: the code that declares the queue `name`.
        waits: for the README: what the broker does after a limit, that attribute of `Limits`, where it is set.
        imports: modules that a worker imports, beside those of the tasks.
        dead_letters: for the README: how tasks are kept that failed for good.
        impatience: its transport options in a process that answers HTTP requests, where nobody waits for long.
        variables: its environment variables, beside the URL.
        config_imports: what celeryconfig.py imports for it.
        sections: its sections of README.md, by their names in templates/readme/.
        most_queues: how many queues it takes.
        pod_variables: lines of its workers' container on Kubernetes, after a line break each; `{queue}` is the queue.
        keda_secret: whether KEDA needs a Secret of its own to ask it.
        untyped: modules without types that it adds.
    """

    extra: str
    service: Service | None
    url: Url
    packages: tuple[str, ...] = ()
    events: bool = True
    worker_options: Mapping[str, str] = field(default_factory=dict)
    queue_import: str = "from kombu import Queue"
    queue_code: str = "Queue(name.value, routing_key=name.value)"
    waits: tuple[tuple[str, str, str], ...] = ()
    imports: tuple[str, ...] = ()
    events_hang: tuple[str, ...] = ()
    shows_oldest: bool = False
    counts_dead_letters: bool = True
    dead_letters: str = ""
    impatience: Mapping[str, Any] = field(default_factory=dict)
    variables: tuple[Variable, ...] = ()
    config_imports: tuple[str, ...] = ()
    sections: tuple[str, ...] = ()
    most_queues: int | None = None
    pod_variables: str = ""
    keda_secret: bool = True
    untyped: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class ResultBackend(Choice):
    """Where results are kept; the one named "none" has no server and no URL.

    Attributes:
        extra: Celery's extra for it, "" for none.
        service: its server.
        url: its environment variable.
        packages: requirements that it adds.
        apps: Django's apps that it adds.
        settings: the text of its settings in templates/celeryconfig/, if that is not its own name.
        impatience: Celery settings for it in a process that answers HTTP requests, where nobody waits for long.
        sections: its sections of README.md, by their names in templates/readme/.
    """

    extra: str = ""
    service: Service | None = None
    url: Url | None = None
    packages: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()
    settings: str = ""
    impatience: Mapping[str, Any] = field(default_factory=dict)
    sections: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False, repr=False)
class Scheduler(Choice):
    """Where beat's schedule is kept.

    Attributes:
        beats: how many beats may run, as a sentence.
        extra: Celery's extra for it, "" for none.
        options: of beat's command, with a blank before them, where `{folder}` is a folder of its own.
        keeps: what beat keeps in that folder, as a sentence; "" for nothing.
        service: its server.
        url: its environment variable.
        packages: requirements that it adds.
        apps: Django's apps that it adds, where `{slug}` is the project's.
        untyped: modules without types that it adds.
        doctor: the modules of the doctor that look at beat, where `beat` asks it by way of the broker.
        solar: whether it keeps jobs that follow the sun.
    """

    beats: str
    extra: str = ""
    options: str = ""
    keeps: str = ""
    service: Service | None = None
    url: Url | None = None
    packages: tuple[str, ...] = ()
    apps: tuple[str, ...] = ()
    untyped: tuple[str, ...] = ()
    doctor: tuple[str, ...] = ("beat",)
    solar: bool = True

    @property
    def state_comment(self) -> str:
        """A comment on what it keeps, "" if there is nothing."""
        return f"# {self.keeps}\n" if self.keeps else ""


@dataclass(frozen=True, eq=False, repr=False)
class Pool(Choice):
    """How a worker runs several tasks at a time.

    Attributes:
        concurrency: how many, if the answer does not say; "auto" is one for each processor.
        extra: Celery's extra for it, "" for none.
    """

    concurrency: str
    extra: str = ""


@dataclass(frozen=True, eq=False, repr=False)
class License(Choice):
    """The project's licence; `spdx` is what pyproject.toml says."""

    spdx: str


HIREDIS = "hiredis>=3.5"

METRICS_ADDRESS = Variable(
    "METRICS_ADDRESS",
    "Where worker, beat and exporter serve their metrics, as host:port; empty: nowhere.",
    example="127.0.0.1:9700",
    hosted="0.0.0.0:9700",
    default="",
    optional=True,
    pattern=r"^(\S+:[0-9]+)?$",
)

FRAMEWORKS = (
    Framework("none", "no framework", task_module="celery", task_class="Task"),
    Framework(
        "fastapi",
        "FastAPI",
        task_module="celery",
        task_class="Task",
        develops="the API and one worker, which restart when a file changes",
        packages=("fastapi>=0.165", "uvicorn>=0.54"),
        dev_packages=("httpx2>=2.16",),
        variables=(
            Variable(
                "API_KEY",
                "What callers of the API send as X-API-Key: random, and of at least 16 characters.",
                example="at-least-16-random-characters",
                local="for development and tests only",
                default="",
                at_least=16,
            ),
        ),
        web=True,
        services=("api",),
        picture="clients([HTTP clients]) --> api[API] --> broker",
        sections=("api.md",),
        places=(
            ("the endpoints of the HTTP API", "`src/{slug}/api/`"),
            ("which tasks it takes", "`SUBMITTABLE` in `src/{slug}/submissions.py`"),
        ),
    ),
    Framework(
        "django",
        "Django",
        task_module="celery.contrib.django.task",
        task_class="DjangoTask",
        celery_settings="settings/celery.py",
        environment="settings/environment.py",
        develops="the site and one worker, which restart when a file changes",
        namespace="CELERY_",
        packages=(
            "dj-database-url>=3.1",
            "django>=5.2,<6.1",  # django-celery-beat 2.9 takes none above; 5.2 is the last for Python 3.11
            "gunicorn>=26.0",
            "psycopg[binary]>=3.3",
            "whitenoise>=6.12",
        ),
        dev_packages=("django-stubs>=6.0", "factory-boy>=3.3", "pytest-django>=4.14", "types-gunicorn>=23"),
        service=POSTGRES,
        url=Url(
            "DATABASE_URL",
            "The database: a PostgreSQL, or a file of SQLite.",
            schemes=("postgres", "postgresql", "sqlite"),
            example="postgresql://user:password@localhost:5432/name",
            demo="",
            test="sqlite://:memory:",
            sample="postgresql://{slug}:${{POSTGRES_PASSWORD}}@postgres:5432/{slug}",
        ),
        variables=(
            Variable(
                "SECRET_KEY",
                "What Django signs sessions with: random, and the same in every process.",
                example="at least 50 random characters",
                local="no secret: for development and tests only, where nobody is kept out",
                at_least=50,
            ),
            Variable(
                "ALLOWED_HOSTS",
                "The names that the site is known by, separated by commas.",
                example="www.example.com,example.com",
                sample="localhost,127.0.0.1",
                local="localhost,127.0.0.1",
                hosted="www.example.com",
            ),
            Variable(
                "CSRF_TRUSTED_ORIGINS",
                "Origins beside the site's own that may send forms to it, separated by commas.",
                example="https://www.example.com",
                default="",
                optional=True,
            ),
        ),
        image_build=(
            "# The style sheets and scripts of the admin, for WhiteNoise to serve.\n"
            "RUN /opt/venv/bin/python -m django collectstatic --no-input --settings {slug}.settings.development\n"
        ),
        image_run="ENV DJANGO_SETTINGS_MODULE={slug}.settings.production\n",
        release=(
            "  # The style sheets and scripts of the admin, for WhiteNoise to serve.\n"
            '  run "$release/bin/python" -m django collectstatic --no-input --verbosity 0 \\\n'
            "    --settings {slug}.settings.development\n"
        ),
        result_backends={
            "database": ResultBackend(
                "database",
                "Django's database",
                packages=("django-celery-results>=2.6",),
                apps=("django_celery_results",),
                settings="django",
                impatience={"result_backend_max_retries": 0},
            )
        },
        web=True,
        services=("migrate", "web"),
        picture="clients([HTTP clients]) --> web[Django] --> broker",
        first=("migrate",),
        sections=("django.md",),
        places=(
            ("the settings, a module for each environment", "`src/{slug}/settings/`"),
            ("the views, and who may use them", "`src/{slug}/web/`"),
            ("which tasks they take", "`SUBMITTABLE` in `src/{slug}/submissions.py`"),
            ("a row whose task is sent when it is committed", "`src/{slug}/reports/`"),
        ),
        test_settings={"DJANGO_SETTINGS_MODULE": "{slug}.settings.test"},
        mypy_plugins=("mypy_django_plugin.main",),
        mypy='\nuntyped_calls_exclude = ["factory"]',
        ruff='\nextend-exclude = ["migrations"] # Django writes them',
        ruff_ignores=(
            '\n"src/*/management/*" = ["D104"] # Django wants these packages'
            '\n"src/*/settings/*" = ["F403", "F405"] # each begins with all of another'
        ),
        git_ignores="\n# the database of development\ndb.sqlite3*\n",
        tools='\n\n[tool.django-stubs]\ndjango_settings_module = "{slug}.settings.development"',
    ),
)

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
        imports=("{slug}.dead_letter_store", "{slug}.doctor.report"),
        dead_letters="the worker writes it down in the broker's database",
        shows_oldest=True,
        impatience={"connect_retries_timeout": 1, "socket_timeout": 1, "socket_connect_timeout": 1},
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
        keda_secret=False,
        # Greenlets that send events, and wait for the broker to confirm them, wait for each other for ever.
        worker_options={"gevent": "--without-heartbeat"},
        events_hang=("gevent",),
        queue_import="from {slug}.quorum import task_queue",
        queue_code="task_queue(name.value)",
        waits=(
            ("RabbitMQ closes a stuck worker's channel after", "consumer_timeout", "deploy/rabbitmq/rabbitmq.conf"),
        ),
        imports=("{slug}.doctor.report",),
        dead_letters="RabbitMQ moves it to the queue `dead_letters`",
        impatience={"connect_retries_timeout": 1, "read_timeout": 1, "write_timeout": 1},
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
        events=False,
        counts_dead_letters=False,
        waits=(("SQS hands out a lost worker's task again after", "visibility_timeout", "deploy/aws/queues.yaml"),),
        imports=("{slug}.dead_letter_store",),
        dead_letters="its worker sends it to `<queue>-DLQ`, where SQS also moves what was delivered ten times and\n"
        "never acknowledged",
        impatience={
            "connect_retries_timeout": 1,
            "client-config": {"connect_timeout": 1, "read_timeout": 1, "retries": {"total_max_attempts": 1}},
        },
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
        most_queues=45,  # a policy names them all, and takes 6144 characters
        pod_variables=(
            "\n          # Where KEDA finds the queue."
            "\n          env:"
            "\n            - {{name: SQS_QUEUE_URL, value: $(SQS_QUEUE_URL_PREFIX){queue}}}"
        ),
        untyped=("botocore.*",),
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
        impatience={
            "redis_socket_timeout": 1,
            "redis_socket_connect_timeout": 1,
            "result_backend_transport_options": {"retry_policy": {"timeout": 1}},
        },
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
        impatience={"result_backend_max_retries": 0},
        sections=("results-database.md",),
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
        doctor=("schedule",),
        solar=False,  # RedBeatJSONEncoder knows intervals, crontabs and its own rrule
    ),
    Scheduler(
        "database",
        "Django's database",
        beats="Exactly one beat must run, on all machines together: two would send every job twice.",
        extra="solar",  # the admin offers events of the sun
        packages=("django-celery-beat>=2.9",),
        apps=("django_celery_beat", "{slug}.periodic"),
        untyped=("django_celery_beat.*",),
        doctor=("beat", "schedule"),
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


@dataclass(frozen=True, eq=False, repr=False)
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
        "hides a message from other workers for 12 hours at most, so that task_time_limit is at most 42240 with it",
        "rabbitmq",
        longest_task=42240,  # Limits.visibility_timeout is then 12 hours
    ),
)
