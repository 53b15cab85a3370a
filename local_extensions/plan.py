"""The plan of a project: every value that the template's files use."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from local_extensions.answers import (
    BOOLEAN_QUESTIONS,
    MAX_TEXT_LENGTHS,
    check_combinations,
    get_answer,
    parse_boolean,
    parse_choice,
    parse_extras,
    parse_slug,
    parse_text,
    parse_time_limit,
    parse_timezone,
)
from local_extensions.beat import parse_jobs
from local_extensions.catalogue import (
    BROKERS,
    CIS,
    FRAMEWORKS,
    LICENSES,
    POOLS,
    PYTHON_VERSIONS,
    REDIS,
    RESULT_BACKENDS,
    SCHEDULERS,
    TRACING,
)
from local_extensions.errors import AnswerErrors
from local_extensions.features import make_feature_table
from local_extensions.images import format_pins, format_tags
from local_extensions.jobs import BeatJob
from local_extensions.limits import Limits
from local_extensions.queues import parse_queues
from local_extensions.requirements import PROMETHEUS_CLIENT, collect_dependencies, collect_dev_dependencies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_extensions.beat import JobAnswer
    from local_extensions.catalogue import Broker, Choice, Framework, Pool, Scheduler, Server
    from local_extensions.queues import QueueAnswer

MAX_DNS_NAME_LENGTH = 40
"""Characters of a queue in the names of Kubernetes objects. The limit is 63, and KEDA adds `keda-hpa-worker-`."""

AUTO_CPUS = 4
"""CPUs of a worker with concurrency "auto" on Kubernetes, where a node may have a hundred."""

AUTO_PROCESSES = 16
"""The number of processes for which a worker with concurrency "auto" gets memory on a host."""

METRICS_PORT = 9700
"""The metrics port of each process in a container. On one machine it is beat's port, and the workers' ports follow."""

MAX_SQS_NAME_LENGTH = 80
"""Characters of a queue name on SQS."""

MAX_USER_NAME_LENGTH = 31
"""Characters of a user name on Linux."""


@dataclass(frozen=True)
class Project:
    """The answers that describe the project.

    Attributes:
        name: The display name of the project.
        description: A description in one line.
        author_name: A person or a team.
        author_email: The author's email address.
        timezone: The IANA time zone name for the periodic tasks.
        python_version: The Python version of the image and of CI, for example "3.13".
    """

    name: str
    description: str
    author_name: str
    author_email: str
    timezone: str
    python_version: str


@dataclass(frozen=True)
class Queue:
    """A queue, its worker and its periodic tasks.

    Attributes:
        name: The name on the broker.
        module: The name of its task module.
        concurrency: The worker's concurrency: a number, or "auto" for the number of CPUs.
        pool: The worker's pool: "prefork", "threads" or "gevent".
        sends_events: Whether its worker sends events to the broker.
        jobs: The beat jobs of this queue.
        tasks: The names of the functions in its module.
    """

    name: str
    module: str
    concurrency: str
    pool: str
    sends_events: bool
    jobs: tuple[BeatJob, ...]
    tasks: tuple[str, ...]

    @property
    def uses_any(self) -> bool:
        """Return whether the annotation of a parameter in its module contains `Any`."""
        return any(job.uses_any for job in self.jobs)

    @property
    def dns_name(self) -> str:
        """Return the queue's name in the names of Kubernetes objects."""
        name = self.name.replace("_", "-")
        if len(name) > MAX_DNS_NAME_LENGTH:
            name = f"{name[: MAX_DNS_NAME_LENGTH - 7].rstrip('-')}-{sha256(name.encode()).hexdigest()[:6]}"
        return name

    @property
    def cpus(self) -> int:
        """Return the CPU limit of its worker on Kubernetes. With "auto" it runs a process per CPU."""
        return AUTO_CPUS if self.concurrency == "auto" else 1

    @property
    def slots(self) -> int:
        """Return the concurrency of its worker on Kubernetes."""
        return AUTO_CPUS if self.concurrency == "auto" else int(self.concurrency)

    @property
    def memory(self) -> int:
        """Return the memory limit of its worker on Kubernetes in MiB."""
        return self._memory(self.slots)

    @property
    def host_memory(self) -> int:
        """Return the memory limit of its worker under Compose and systemd in MiB."""
        return self._memory(AUTO_PROCESSES if self.concurrency == "auto" else int(self.concurrency))

    def _memory(self, processes: int) -> int:
        # Each process may have the 192 MiB of `worker_max_memory_per_child`; the main process has 40 to 100.
        return 128 + 192 * processes if self.pool == "prefork" else 512

    @property
    def backlog(self) -> int:
        """Return the queue length per worker above which KEDA adds a worker."""
        return 10 * self.slots


@dataclass(frozen=True)
class Plan:
    """Every value that the template's files use. Filters encode text in the format of a file.

    Attributes:
        slug: The name of the package.
        project: The answers that describe the project.
        features: Whether each feature is enabled, by its name; see features.py.
        framework: The chosen framework.
        broker: The chosen broker.
        result_backend: The chosen result backend.
        servers: The servers that the project depends on.
        queues: The queues, in order.
        jobs: The beat jobs, in order.
        limits: The limits that are computed from task_time_limit.
        images: The container images by short name; pinned if a bot of the project updates them.
        image_tags: The container images by short name, with tags that follow new releases.
        dependencies: The requirements of the project.
        dev_dependencies: The additional requirements for development.
    """

    slug: str
    project: Project
    features: Mapping[str, bool]
    framework: Framework
    broker: Broker
    result_backend: Choice
    servers: tuple[Server, ...]
    queues: tuple[Queue, ...]
    jobs: tuple[BeatJob, ...]
    limits: Limits
    images: Mapping[str, str]
    image_tags: Mapping[str, str]
    dependencies: tuple[str, ...]
    dev_dependencies: tuple[str, ...]

    @property
    def enabled_features(self) -> tuple[str, ...]:
        """Return the names of the enabled features."""
        return tuple(name for name, enabled in self.features.items() if enabled)

    @property
    def dns_name(self) -> str:
        """Return the project's name without underscores, for distributions, images and Kubernetes objects."""
        return self.slug.replace("_", "-")

    @property
    def system_user(self) -> str:
        """Return the user of the systemd services."""
        return self.slug[:MAX_USER_NAME_LENGTH]

    @property
    def default_queue(self) -> Queue:
        """Return the first queue, which receives tasks without a route."""
        return self.queues[0]

    @property
    def urgent_queue(self) -> Queue:
        """Return the queue whose name contains "urgent", "critical" or "high", else the first queue."""
        words = ("urgent", "critical", "high")
        return next((queue for word in words for queue in self.queues if word in queue.module), self.default_queue)

    @property
    def task_names(self) -> tuple[str, ...]:
        """Return the registered names of the tasks."""
        tasks = (f"{queue.module}.{task}" for queue in self.queues for task in queue.tasks)
        return tuple(f"{self.slug}.tasks.{task}" for task in tasks)

    @property
    def schedule_kinds(self) -> frozenset[str]:
        """Return the kinds of schedules: "crontab", "interval" and "solar". A crontab clears Django's sessions."""
        sessions = ["crontab"] if self.features["session_cleanup"] else []
        return frozenset([*sessions, *(job.schedule.kind for job in self.jobs)])

    @property
    def queue_prefix(self) -> str:
        """Return the prefix of the queue names on SQS: queue names are unique per account and region."""
        return self.dns_name[: self.longest_prefix - 1].rstrip("-") + "-"

    @property
    def longest_prefix(self) -> int:
        """Return the maximum length of this prefix."""
        return MAX_SQS_NAME_LENGTH - len("-DLQ") - max(len(queue.name) for queue in self.queues)

    @property
    def resources(self) -> dict[str, str]:
        """Return the queue names by logical ID in CloudFormation, for example `HighPriority` for `high-priority`."""
        names: dict[str, str] = {}
        for queue in self.queues:
            name = "".join(word.capitalize() for word in queue.module.split("_"))
            while name in names:  # a-1 and a1
                name += "X"
            names[name] = queue.name
        return names

    @property
    def units_before(self) -> tuple[str, ...]:
        """Return the systemd units that start before the project's units: the network and local servers."""
        return ("network-online.target", *(server.unit for server in self.servers))

    @property
    def flower_events(self) -> bool:
        """Return whether Flower may enable events in the workers."""
        return all(queue.sends_events for queue in self.queues)

    @property
    def metrics_port(self) -> int:
        """Return the metrics port of each process in a container."""
        return METRICS_PORT

    @property
    def metrics_ports(self) -> dict[str, int]:
        """Return the metrics port of each process if all processes run on one machine."""
        beat = {"beat": METRICS_PORT} if self.jobs else {}
        workers = {queue.name: METRICS_PORT + number for number, queue in enumerate(self.queues, start=1)}
        return {"exporter": METRICS_PORT - 1, **beat, **workers}


def make_plan(answers: Mapping[str, object]) -> Plan:
    """Return the plan for the answers to the questions in cookiecutter.json.

    Raises:
        InvalidAnswersError: At least one answer is invalid.
    """
    errors = AnswerErrors()
    texts = {question: parse_text(answers, question, errors) for question in MAX_TEXT_LENGTHS}
    slug = parse_slug(answers, errors)
    framework = parse_choice(answers, "framework", FRAMEWORKS, errors)
    broker = parse_choice(answers, "broker", BROKERS, errors)
    result_backend = parse_choice(answers, "result_backend", RESULT_BACKENDS, errors)
    queue_answers = parse_queues(get_answer(answers, "queues"), errors)
    job_answers = parse_jobs(get_answer(answers, "beat_jobs"), queue_answers, errors)
    scheduler = parse_choice(answers, "beat_scheduler", SCHEDULERS, errors)
    timezone = parse_timezone(answers, errors)
    time_limit = parse_time_limit(answers, errors)
    flags = {question: parse_boolean(answers, question, errors) for question in BOOLEAN_QUESTIONS}
    extras = parse_extras(answers, errors)
    ci = parse_choice(answers, "ci", CIS, errors)
    license_ = parse_choice(answers, "license", LICENSES, errors)
    python = parse_choice(answers, "python_version", PYTHON_VERSIONS, errors)
    chosen = {
        "framework": framework.name,
        "broker": broker.name,
        "result_backend": result_backend.name,
        "beat_scheduler": scheduler.name,
        "ci": ci.name,
        "license": license_.name,
    }
    extra_names = [extra.name for extra in extras]
    check_combinations({**chosen, "task_time_limit": str(time_limit), "extras": ", ".join(extra_names)}, errors)
    check_number_of_queues(answers, broker, len(queue_answers), errors)
    check_solar_schedules(job_answers, scheduler, errors)
    errors.raise_if_any()

    if result_backend.name == "database" and framework.database:
        result_backend = framework.database
    jobs = tuple(make_beat_job(slug, job) for job in job_answers)
    queues = make_queues(tuple(queue_answers.values()), jobs, broker)
    # In the order of their servers in compose.yaml.
    used = (broker, result_backend, *([scheduler] if jobs else []), framework, *find_used_pools(queues), *extras)
    users_of_redis = [choice for choice in used if choice.server == REDIS]
    return Plan(
        slug=slug,
        project=Project(
            name=texts["project_name"],
            description=texts["description"],
            author_name=texts["author_name"],
            author_email=texts["author_email"],
            timezone=timezone,
            python_version=python.name,
        ),
        features=make_feature_table(
            chosen,
            flags,
            extras=extra_names,
            beat=bool(jobs),
            several_redis_databases=len(users_of_redis) > 1,
        ),
        framework=framework,
        broker=broker,
        result_backend=result_backend,
        servers=tuple(dict.fromkeys(choice.server for choice in used if choice.server)),
        queues=queues,
        jobs=jobs,
        limits=Limits(time_limit),
        images=format_tags() if chosen["ci"] == "none" else format_pins(),
        image_tags=format_tags(),
        **collect_requirements(framework, used, jobs, monitoring=flags["monitoring"]),
    )


def check_number_of_queues(answers: Mapping[str, object], broker: Broker, number: int, errors: AnswerErrors) -> None:
    """Add an error if the broker supports fewer queues."""
    if broker.max_queues and number > broker.max_queues:
        problem = f"has {number} queues; the maximum with broker {broker.name!r} is {broker.max_queues}"
        errors.add("queues", get_answer(answers, "queues"), problem)


def check_solar_schedules(jobs: tuple[JobAnswer, ...], scheduler: Scheduler, errors: AnswerErrors) -> None:
    """Add an error for each solar schedule if the scheduler does not support them."""
    for job in jobs:
        if job.schedule.kind == "solar" and not scheduler.solar:
            problem = f"has a solar schedule, which beat_scheduler {scheduler.name!r} does not support"
            errors.add("beat_jobs", job.name, problem, f"{job.name} = 0 6 * * *")


def make_beat_job(slug: str, job: JobAnswer) -> BeatJob:
    """Return a beat job of the project with this package name."""
    return BeatJob(
        name=job.name,
        function=job.function,
        queue=job.queue.name,
        module=job.queue.module,
        task=f"{slug}.tasks.{job.queue.module}.{job.function}",
        schedule=job.schedule,
        arguments=job.arguments,
        text=job.text,
    )


def make_queues(queues: tuple[QueueAnswer, ...], jobs: tuple[BeatJob, ...], broker: Broker) -> tuple[Queue, ...]:
    """Return the queues with their beat jobs and tasks. The first queue also has the task `ping`."""
    jobs_of: dict[str, list[BeatJob]] = {queue.name: [] for queue in queues}
    for job in jobs:
        jobs_of[job.queue].append(job)
    return tuple(
        Queue(
            name=queue.name,
            module=queue.module,
            concurrency=queue.concurrency,
            pool=queue.pool,
            sends_events=queue.pool not in broker.pools_without_events,
            jobs=tuple(jobs_of[queue.name]),
            tasks=(*(["ping"] if queue is queues[0] else []), *(job.function for job in jobs_of[queue.name])),
        )
        for queue in queues
    )


def find_used_pools(queues: tuple[Queue, ...]) -> tuple[Pool, ...]:
    """Return the pools that the workers use."""
    names = {queue.pool for queue in queues}
    return tuple(pool for pool in POOLS if pool.name in names)


def collect_requirements(
    framework: Framework, used: tuple[Choice, ...], jobs: tuple[BeatJob, ...], *, monitoring: bool
) -> dict[str, tuple[str, ...]]:
    """Return the requirements by field of the plan."""
    extras = {choice.extra for choice in used} | {"solar" for job in jobs if job.schedule.kind == "solar"}
    packages = [package for choice in used for package in choice.packages]
    packages += [PROMETHEUS_CLIENT] if monitoring else []
    packages += framework.instrumentation if TRACING in used else ()
    return {
        "dependencies": collect_dependencies(extras, packages),
        "dev_dependencies": collect_dev_dependencies(extras, framework.dev_packages),
    }
