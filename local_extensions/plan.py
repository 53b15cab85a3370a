"""The plan of a project: every value that the template's files ask for."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from local_extensions import answers as reading
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
)
from local_extensions.errors import Mistakes
from local_extensions.features import feature_table
from local_extensions.jobs import BeatJob
from local_extensions.limits import Limits
from local_extensions.queues import parse_queues
from local_extensions.requirements import PROMETHEUS_CLIENT, dependencies, dev_dependencies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_extensions.beat import JobAnswer
    from local_extensions.catalogue import Broker, Choice, Framework, Pool, Scheduler, Server
    from local_extensions.queues import QueueAnswer

LONGEST_DNS_NAME = 40
"""Characters of a queue in the names of Kubernetes' objects: KEDA adds `keda-hpa-worker-`, and 63 are the most."""

AUTO_CPUS = 4
"""Processors of a worker with concurrency "auto" on Kubernetes, where a node may have a hundred."""

AUTO_PROCESSES = 16
"""Processes for which a worker with concurrency "auto" has memory on a host."""

METRICS_PORT = 9700
"""The port of a process's metrics in a container; on one machine, beat's port, followed by those of the workers."""

LONGEST_SQS_NAME = 80
"""Characters of a queue's name on SQS."""

LONGEST_USER_NAME = 31
"""Characters of a user's name on Linux."""


@dataclass(frozen=True)
class Project:
    """The answers that describe the project, as they were given.

    Attributes:
        name: The project's name, for people.
        description: One line.
        author_name: A person or a team.
        author_email: The author's e-mail address.
        timezone: The IANA name of the time zone of the periodic tasks.
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
    """A queue, its worker, and the periodic tasks that run there.

    Attributes:
        name: The name on the broker.
        module: The module of its tasks.
        concurrency: How many tasks its worker runs at a time, or "auto": one for each processor.
        pool: The worker's pool: "prefork", "threads" or "gevent".
        sends_events: Whether its worker sends events to the broker.
        jobs: The beat jobs that run there.
        tasks: The names of its module's functions.
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
        """Whether the type of a parameter in its module contains `Any`."""
        return any(job.uses_any for job in self.jobs)

    @property
    def dns_name(self) -> str:
        """The queue's name in the names of Kubernetes' objects."""
        name = self.name.replace("_", "-")
        if len(name) > LONGEST_DNS_NAME:
            name = f"{name[: LONGEST_DNS_NAME - 7].rstrip('-')}-{sha256(name.encode()).hexdigest()[:6]}"
        return name

    @property
    def cpus(self) -> int:
        """The processors that its worker may use on Kubernetes; with "auto" it runs a process on each."""
        return AUTO_CPUS if self.concurrency == "auto" else 1

    @property
    def slots(self) -> int:
        """How many tasks its worker runs at a time on Kubernetes."""
        return AUTO_CPUS if self.concurrency == "auto" else int(self.concurrency)

    @property
    def memory(self) -> int:
        """The memory in MiB that its worker may use on Kubernetes."""
        return self._memory(self.slots)

    @property
    def host_memory(self) -> int:
        """The memory in MiB that its worker may use under Compose and systemd."""
        return self._memory(AUTO_PROCESSES if self.concurrency == "auto" else int(self.concurrency))

    def _memory(self, processes: int) -> int:
        return 256 + 64 * processes if self.pool == "prefork" else 512

    @property
    def backlog(self) -> int:
        """The queue length for each worker from which KEDA adds another."""
        return 10 * self.slots


@dataclass(frozen=True)
class Plan:
    """Every value that the template's files ask for. Filters write texts in the format of a file.

    Attributes:
        slug: The project's package.
        project: The answers that describe the project.
        features: Whether each feature is enabled; see features.py.
        framework: The chosen framework.
        broker: The chosen broker.
        result_backend: The chosen result backend.
        servers: The servers that the project needs.
        queues: The queues, in order.
        jobs: The beat jobs, in order.
        limits: The times that follow from task_time_limit.
        dependencies: The requirements of the project.
        dev_dependencies: The requirements of development, beyond those.
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
    dependencies: tuple[str, ...]
    dev_dependencies: tuple[str, ...]

    @property
    def enabled_features(self) -> tuple[str, ...]:
        """The names of the enabled features."""
        return tuple(name for name, enabled in self.features.items() if enabled)

    @property
    def dns_name(self) -> str:
        """The project's name where underscores are not allowed: a distribution, an image, a Kubernetes object."""
        return self.slug.replace("_", "-")

    @property
    def system_user(self) -> str:
        """The user of the systemd services."""
        return self.slug[:LONGEST_USER_NAME]

    @property
    def default_queue(self) -> Queue:
        """The queue of tasks that have no route: the first one."""
        return self.queues[0]

    @property
    def urgent_queue(self) -> Queue:
        """The queue whose name says that it is urgent, else the first one."""
        words = ("urgent", "critical", "high")
        return next((queue for word in words for queue in self.queues if word in queue.module), self.default_queue)

    @property
    def task_names(self) -> tuple[str, ...]:
        """The names of the queues' tasks, as Celery registers them."""
        tasks = (f"{queue.module}.{task}" for queue in self.queues for task in queue.tasks)
        return tuple(f"{self.slug}.tasks.{task}" for task in tasks)

    @property
    def schedule_kinds(self) -> frozenset[str]:
        """The kinds of the jobs' schedules: "crontab", "interval" and "solar"."""
        return frozenset(job.schedule.kind for job in self.jobs)

    @property
    def queue_prefix(self) -> str:
        """The prefix of all queue names on SQS, which an account shares."""
        return self.dns_name[: self.longest_prefix - 1].rstrip("-") + "-"

    @property
    def longest_prefix(self) -> int:
        """The characters that this prefix may have."""
        return LONGEST_SQS_NAME - len("-DLQ") - max(len(queue.name) for queue in self.queues)

    @property
    def resources(self) -> dict[str, str]:
        """The queues by their logical id in CloudFormation: that of `high-priority` is `HighPriority`."""
        names: dict[str, str] = {}
        for queue in self.queues:
            name = "".join(word.capitalize() for word in queue.module.split("_"))
            while name in names:  # a-1 and a1
                name += "X"
            names[name] = queue.name
        return names

    @property
    def units_before(self) -> tuple[str, ...]:
        """The systemd units that start before those of the project: the network, and servers on the same machine."""
        return ("network-online.target", *(server.unit for server in self.servers))

    @property
    def flower_events(self) -> bool:
        """Whether Flower may enable events in the workers."""
        return all(queue.sends_events for queue in self.queues)

    @property
    def metrics_port(self) -> int:
        """The port of each process's metrics where it has a network of its own."""
        return METRICS_PORT

    @property
    def metrics_ports(self) -> dict[str, int]:
        """The port of each process's metrics where all of them run on one machine."""
        beat = {"beat": METRICS_PORT} if self.jobs else {}
        workers = {queue.name: METRICS_PORT + number for number, queue in enumerate(self.queues, start=1)}
        return {"exporter": METRICS_PORT - 1, **beat, **workers}


def make_plan(answers: Mapping[str, object]) -> Plan:
    """Return the plan for the answers to the questions of cookiecutter.json, by question.

    Raises:
        Refused: Answers are invalid; it has a line for each mistake.
    """
    mistakes = Mistakes()
    texts = {question: reading.read_text(answers, question, mistakes) for question in reading.LONGEST_TEXTS}
    slug = reading.read_slug(answers, mistakes)
    framework = reading.read_choice(answers, "framework", FRAMEWORKS, mistakes)
    broker = reading.read_choice(answers, "broker", BROKERS, mistakes)
    result_backend = reading.read_choice(answers, "result_backend", RESULT_BACKENDS, mistakes)
    queue_answers = parse_queues(reading.read(answers, "queues"), mistakes)
    job_answers = parse_jobs(reading.read(answers, "beat_jobs"), queue_answers, mistakes)
    scheduler = reading.read_choice(answers, "beat_scheduler", SCHEDULERS, mistakes)
    timezone = reading.read_timezone(answers, mistakes)
    time_limit = reading.read_time_limit(answers, mistakes)
    flags = {question: reading.read_flag(answers, question, mistakes) for question in reading.BOOLEAN_QUESTIONS}
    ci = reading.read_choice(answers, "ci", CIS, mistakes)
    license_ = reading.read_choice(answers, "license", LICENSES, mistakes)
    python = reading.read_choice(answers, "python_version", PYTHON_VERSIONS, mistakes)
    chosen = {
        "framework": framework.name,
        "broker": broker.name,
        "result_backend": result_backend.name,
        "beat_scheduler": scheduler.name,
        "ci": ci.name,
        "license": license_.name,
    }
    reading.check_combination({**chosen, "task_time_limit": str(time_limit)}, mistakes)
    check_number_of_queues(answers, broker, len(queue_answers), mistakes)
    check_solar_schedules(job_answers, scheduler, mistakes)
    mistakes.refuse()

    if result_backend.name == "database" and framework.database:
        result_backend = framework.database
    jobs = tuple(beat_job(slug, job) for job in job_answers)
    queues = queues_with_jobs(tuple(queue_answers.values()), jobs, broker)
    # In the order in which compose.yaml names their servers.
    used = (broker, result_backend, *([scheduler] if jobs else []), framework, *used_pools(queues))
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
        features=feature_table(chosen, flags, beat=bool(jobs), several_redis_databases=len(users_of_redis) > 1),
        framework=framework,
        broker=broker,
        result_backend=result_backend,
        servers=tuple(dict.fromkeys(choice.server for choice in used if choice.server)),
        queues=queues,
        jobs=jobs,
        limits=Limits(time_limit),
        **requirements(framework, used, jobs, monitoring=flags["monitoring"]),
    )


def check_number_of_queues(answers: Mapping[str, object], broker: Broker, number: int, mistakes: Mistakes) -> None:
    """Note more queues than the broker allows."""
    if broker.max_queues and number > broker.max_queues:
        many = f"has {number} queues, and {broker.max_queues} are the most with broker {broker.name!r}"
        mistakes.add("queues", reading.read(answers, "queues"), many)


def check_solar_schedules(jobs: tuple[JobAnswer, ...], scheduler: Scheduler, mistakes: Mistakes) -> None:
    """Note solar schedules that the scheduler does not support."""
    for job in jobs:
        if job.schedule.kind == "solar" and not scheduler.solar:
            why = f"follows the sun, which beat_scheduler {scheduler.name!r} cannot keep; 'file' can"
            mistakes.add("beat_jobs", job.name, why, f"{job.name} = 0 6 * * *")


def beat_job(slug: str, job: JobAnswer) -> BeatJob:
    """Return a beat job of the project with this package."""
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


def queues_with_jobs(queues: tuple[QueueAnswer, ...], jobs: tuple[BeatJob, ...], broker: Broker) -> tuple[Queue, ...]:
    """Return the queues with their beat jobs and tasks; the first queue has the task `ping`, too."""
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


def used_pools(queues: tuple[Queue, ...]) -> tuple[Pool, ...]:
    """Return the pools that the queues' workers use."""
    names = {queue.pool for queue in queues}
    return tuple(pool for pool in POOLS if pool.name in names)


def requirements(
    framework: Framework, used: tuple[Choice, ...], jobs: tuple[BeatJob, ...], *, monitoring: bool
) -> dict[str, tuple[str, ...]]:
    """Return the requirements of the project and of development, by their field of the plan."""
    extras = {choice.extra for choice in used} | {"solar" for job in jobs if job.schedule.kind == "solar"}
    packages = [package for choice in used for package in choice.packages]
    packages += [PROMETHEUS_CLIENT] if monitoring else []
    return {
        "dependencies": dependencies(extras, packages),
        "dev_dependencies": dev_dependencies(extras, framework.dev_packages),
    }
