"""The metrics that a running project exports on each real broker, which the alerts and the dashboard use."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.conftest import count, need
from tests.live.service import Service, commands
from tests.support.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.bakery import Bakery
    from tests.support.environments import Environment
    from tests.support.project import BakedProject
    from tests.support.servers import Servers

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("monitoring")]

# What dies is noticed within ten seconds, so that its time limit must not come first.
TASKS = """

@shared_task
def fail() -> None:
    raise LookupError("for good")


@shared_task
def hang() -> None:
    import contextlib
    import time

    with contextlib.suppress(Exception):  # the soft time limit's
        time.sleep(60)
    time.sleep(60)


@shared_task(max_retries=1, default_retry_delay=1)
def come_back(path: str) -> None:
    from pathlib import Path

    if not Path(path).exists():
        Path(path).touch()
        raise come_back.retry(countdown=0)


@shared_task(max_retries=0, soft_time_limit=50, time_limit=60)
def die() -> None:
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)
"""
SEND = "from watched.celery_app import app\nanswer = [app.send_task(n, a, queue={queue!r}).id for n, a in {tasks!r}]"


@pytest.fixture(scope="module", params=["redis", "rabbitmq", "sqs"])
def project(request: pytest.FixtureRequest, bake: Bakery, tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """A project with a job a second, a worker of processes and one of greenlets, and tasks that end in every way."""
    answers = {
        "project_name": "Watched",
        "broker": request.param,
        "result_backend": "none",
        "queues": "emails:2, crawl:2@gevent",
        "beat_jobs": "tick = every 1s -> crawl",
        "task_time_limit": "3",
    }
    baked = bake(**answers, examples=False).copy_to(tmp_path_factory.mktemp("watched"))
    with (baked.package / "tasks" / "emails.py").open("a", encoding="utf-8") as module:
        module.write(TASKS)
    quick = baked.package / "broker_metrics.py"
    quick.write_text(re.sub(r"INTERVAL = \d+", "INTERVAL = 0.2", quick.read_text(encoding="utf-8")), encoding="utf-8")
    return baked


@pytest.fixture
def service(project: BakedProject, installed: Callable[..., Environment], servers: Servers) -> Iterator[Service]:
    """The project with queues of its own; nothing runs yet."""
    with Service(project, installed(project), servers.variables(project)) as waiting:
        yield waiting


class Watched:
    """A process and where it serves its metrics."""

    def __init__(self, service: Service, name: str) -> None:
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        words = ["python", "-m", "watched.exporter"] if name == "exporter" else commands(service.project)[name]
        local = [word if not word.startswith("/") else str(service.project.path / "beat.db") for word in words]
        self.process = service.start(local, name, METRICS_ADDRESS=self.address)

    def metrics(self) -> dict[str, float]:
        """All that it shows now; nothing before it serves."""
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            text = urllib.request.urlopen(f"http://{self.address}/metrics", timeout=10).read().decode()
            lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
            return {name: float(value) for name, _, value in lines}
        return {}

    def shows(self, name: str, condition: Callable[[float], bool], timeout: float = 60) -> float:
        """Wait until it shows a value like this."""
        until = time.monotonic() + timeout
        while True:
            found = self.metrics().get(name)
            if found is not None and condition(found):
                return found
            assert time.monotonic() < until, f"{name} is {found}. {self.process.name} said:\n{self.process.output}"
            time.sleep(0.1)


def send(service: Service, *tasks: str, queue: str = "emails", args: tuple[str, ...] = ()) -> None:
    """Send these tasks with the same arguments, by one process."""
    service.ask(SEND.format(tasks=[(f"watched.tasks.emails.{task}", args) for task in tasks], queue=queue))


def ended(task: str, outcome: str, queue: str = "emails") -> str:
    """The name of what a worker shows of the runs that ended so."""
    return f'celery_tasks_total{{outcome="{outcome}",queue="{queue}",task="watched.tasks.emails.{task}"}}'


SELECTOR = re.compile(r"(?:(?:by|on) \(([\w, ]+)\) )?[(\w]*?\b(celery_\w+)(\{[^}]*\})?")


def used(project: BakedProject) -> set[tuple[str, frozenset[str]]]:
    """Return each metric of the alerts and of the dashboard, with the labels that it is aggregated and selected by."""
    groups = yaml.safe_load(project.read("deploy/monitoring/rules.yaml"))["groups"]
    panels = json.loads(project.read("deploy/monitoring/grafana/dashboards/queues.json"))["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    expressions = [rule["expr"] for group in groups for rule in group["rules"]] + queries
    found = [match for expression in expressions for match in SELECTOR.findall(expression)]
    return {(name, frozenset(re.findall(r"\w+", by) + re.findall(r"(\w+)=", selected))) for by, name, selected in found}


@pytest.fixture
def memory_limit(service: Service) -> Iterator[None]:
    """A limit of Redis's memory; without one, the exporter exports no share of it."""
    url = service.variables["CELERY_BROKER_URL"]
    command = ["redis-cli", "-u", url, "config", "set", "maxmemory"] if url.startswith("redis") else ["true"]
    subprocess.run([*command, "1gb"], check=True)
    yield
    subprocess.run([*command, "0"], check=True)


@pytest.mark.usefixtures("memory_limit")
def test_its_processes_export_every_series_that_alerts_and_dashboard_use(
    project: BakedProject, service: Service, request: pytest.FixtureRequest
) -> None:
    count(request, "live")
    broker = project.answers["broker"]
    exporter = Watched(service, "exporter")
    exporter.shows("celery_broker_up", lambda up: up == 1)
    send(service, "ping", "ping")
    exporter.shows('celery_queue_length{queue="emails"}', lambda length: length == 2)
    if broker == "redis":
        exporter.shows('celery_queue_oldest_message_age_seconds{queue="emails"}', lambda age: 0 < age < 120)

    emails, crawl = (Watched(service, f"worker-{queue}") for queue in ("emails", "crawl"))
    emails.shows('celery_worker_consuming{queue="emails"}', lambda consuming: consuming == 1)
    assert emails.metrics()['celery_worker_concurrency{queue="emails"}'] == 2
    assert emails.metrics()['celery_task_time_limit_seconds{queue="emails"}'] == 3
    emails.shows(ended("ping", "succeeded"), lambda runs: runs == 2)
    assert emails.metrics()[ended("fail", "failed")] == 0  # or Prometheus would not see the first
    assert emails.metrics()['celery_queue_latency_seconds_count{queue="emails"}'] == 2
    exporter.shows('celery_queue_length{queue="emails"}', lambda length: length == 0)

    send(service, "come_back", args=(str(project.path / "back"),))
    send(service, "fail", "hang", "die")
    emails.shows(ended("fail", "failed"), lambda runs: runs == 1)
    emails.shows(ended("come_back", "retried"), lambda runs: runs == 1)
    emails.shows(ended("come_back", "succeeded"), lambda runs: runs == 1)
    emails.shows(ended("hang", "failed"), lambda runs: runs == 1)
    emails.shows(ended("die", "lost"), lambda runs: runs == 1)
    of_hang = 'queue="emails",task="watched.tasks.emails.hang"}'
    assert emails.metrics()[f"celery_task_runtime_seconds_count{{{of_hang}"] == 1
    assert emails.metrics()[f"celery_tasks_near_time_limit_total{{{of_hang}"] == 1
    of_die = 'queue="emails",task="watched.tasks.emails.die"}'  # its own limit is longer
    assert emails.metrics()[f"celery_tasks_near_time_limit_total{{{of_die}"] == 0
    if broker != "sqs":
        exporter.shows("celery_dead_letters", lambda letters: letters >= 1)

    send(service, "ping", queue="crawl")
    crawl.shows(ended("ping", "succeeded", "crawl"), lambda runs: runs == 1)  # a pool without processes

    beat = Watched(service, "beat")
    first = beat.shows("celery_beat_last_tick_timestamp_seconds", lambda tick: tick > time.time() - 60)
    beat.shows("celery_beat_last_tick_timestamp_seconds", lambda tick: tick > first)
    (due,) = (name for name in beat.metrics() if name.startswith("celery_beat_entry_due_timestamp_seconds{"))
    known = beat.metrics()[due]
    beat.shows(due, lambda later: later > known)
    crawl.shows(
        'celery_tasks_total{outcome="succeeded",queue="crawl",task="watched.tasks.crawl.tick"}', lambda runs: runs >= 1
    )

    exported = [name for each in (exporter, emails, beat) for name in each.metrics()]
    series = {(name.partition("{")[0], frozenset(re.findall(r'(\w+)="', name))) for name in exported}
    asked = used(project)
    assert len(asked) > 12
    missing = {name for name, labels in asked if not any(name == other and labels <= by for other, by in series)}
    assert missing == (set() if broker == "redis" else {"celery_queue_oldest_message_age_seconds"})
    assert not [name for each in (exporter, emails) for name in each.metrics() if name.startswith("celery_beat")]

    emails.process.popen.terminate()
    emails.process.wait(60)
    assert emails.metrics() == {}


@pytest.mark.parametrize("project", ["redis"], indirect=True)
def test_prometheus_raises_the_alerts_of_a_missing_worker_and_of_a_failing_periodic_task_and_no_others(
    project: BakedProject, service: Service, request: pytest.FixtureRequest
) -> None:
    need(shutil.which("prometheus"), "prometheus")
    count(request, "live")
    with (project.package / "tasks" / "crawl.py").open("a", encoding="utf-8") as module:
        module.write("\n\nimport watched.tasks.crawl as own\n\nown.tick.run = lambda: 1 / 0\n")
    watched = [Watched(service, name) for name in ("exporter", "worker-crawl", "beat")]

    configuration = yaml.safe_load(project.read("deploy/monitoring/prometheus.yaml"))
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["scrape_configs"] = [
        {"job_name": "watched", "static_configs": [{"targets": [each.address for each in watched]}]}
    ]
    quick = project.path / "deploy" / "monitoring" / "quick.yaml"
    quick.write_text(yaml.safe_dump(configuration), encoding="utf-8")
    port = free_port()
    service.start(
        [
            "prometheus",
            f"--config.file={quick}",
            f"--storage.tsdb.path={project.path / 'prometheus'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
        "prometheus",
    )

    def alerts() -> set[tuple[str, str, str]]:
        """Return each alert with its queue or task, and its state."""
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            answer: Any = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/rules", timeout=10))
            rules = [rule for group in answer["data"]["groups"] for rule in group["rules"]]
            assert not [rule for rule in rules if rule["health"] == "err"]
            # On a busy machine any task comes near a limit of three seconds.
            rules = [rule for rule in rules if rule["name"] != "CeleryTaskNearTimeLimit"]
            found = [(rule["name"], alert["labels"], alert["state"]) for rule in rules for alert in rule["alerts"]]
            return {(name, of.get("task") or of.get("queue") or "", state) for name, of, state in found}
        return set()

    expected = {
        ("CeleryQueueWithoutConsumers", "emails", "pending"),  # for 5 minutes
        ("CeleryDeadLetters", "", "pending"),
        ("CeleryPeriodicTaskFailed", "watched.tasks.crawl.tick", "firing"),
        ("CeleryTaskFailureRateHigh", "watched.tasks.crawl.tick", "firing"),
    }
    until = time.monotonic() + 90
    while (found := alerts()) != expected:
        assert time.monotonic() < until, found ^ expected
        time.sleep(0.5)

    def shown(expression: str) -> list[float]:
        """Return the values of an expression."""
        query = urllib.parse.urlencode({"query": expression})
        answer: Any = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?{query}", timeout=10))
        return [float(each["value"][1]) for each in answer["data"]["result"]]

    # The dashboard shows a stopped process as one, not as an empty panel.
    watched[-1].process.kill()
    until = time.monotonic() + 30
    while shown("celery_beat_entry_due_timestamp_seconds"):
        assert time.monotonic() < until
        time.sleep(0.5)
    panels = json.loads(project.read("deploy/monitoring/grafana/dashboards/queues.json"))["panels"]
    queries = {panel["title"]: panel["targets"][0]["expr"] for panel in panels if panel.get("targets")}
    assert shown(queries["Periodic task delay"])
    assert shown(queries["Workers"].replace("$queue", "emails")) == [0]
    assert shown(queries["Workers"].replace("$queue", "crawl")) == [1]
