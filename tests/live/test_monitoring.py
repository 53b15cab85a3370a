"""The metrics of a running project on each broker, which the alerts and the dashboard use."""

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

from tests.conftest import count, require_program
from tests.live.service import Service, read_commands
from tests.support.processes import free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.bakery import Bakery
    from tests.support.environments import Environment
    from tests.support.project import BakedProject
    from tests.support.servers import Servers

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("monitoring")]

# A killed process is detected within ten seconds. The time limit of its task must be longer.
TASKS = """

@shared_task
def fail() -> None:
    raise LookupError("permanent")


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
SEND = (
    "from metrics_check.celery_app import app\nanswer = [app.send_task(n, a, queue={queue!r}).id for n, a in {tasks!r}]"
)


@pytest.fixture(scope="module", params=["redis", "rabbitmq", "sqs"])
def project(request: pytest.FixtureRequest, bake: Bakery, tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """Return a project with a prefork and a gevent worker, a job every second, and a task for each outcome."""
    answers = {
        "project_name": "Metrics Check",
        "broker": request.param,
        "result_backend": "none",
        "queues": "emails:2, crawl:2@gevent",
        "beat_jobs": "tick = every 1s -> crawl",
        "task_time_limit": "3",
    }
    baked = bake(**answers, examples=False).copy_to(tmp_path_factory.mktemp("monitoring"))
    baked.append("tasks/emails.py", TASKS)
    metrics = baked.package / "broker_metrics.py"
    text = re.sub(r"INTERVAL = \d+", "INTERVAL = 0.2", metrics.read_text(encoding="utf-8"))
    metrics.write_text(text, encoding="utf-8")
    return baked


@pytest.fixture
def service(project: BakedProject, install_project: Callable[..., Environment], servers: Servers) -> Iterator[Service]:
    """Return a service with unused queues, without processes."""
    with Service(project, install_project(project), servers.variables(project)) as service:
        yield service


class MonitoredProcess:
    """A process and the address of its metrics."""

    def __init__(self, service: Service, name: str) -> None:
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        words = (
            ["python", "-m", "metrics_check.exporter"] if name == "exporter" else read_commands(service.project)[name]
        )
        local = [word if not word.startswith("/") else str(service.project.path / "beat.db") for word in words]
        self.process = service.start(local, name, METRICS_ADDRESS=self.address)

    def metrics(self) -> dict[str, float]:
        """Return the exported metrics, or none if the process is not listening."""
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            text = urllib.request.urlopen(f"http://{self.address}/metrics", timeout=10).read().decode()
            lines = [line.rpartition(" ") for line in text.splitlines() if not line.startswith("#")]
            return {name: float(value) for name, _, value in lines}
        return {}

    def wait_for_metric(self, name: str, condition: Callable[[float], bool], timeout: float = 60) -> float:
        """Wait until the value of a metric meets a condition. Return the value."""
        until = time.monotonic() + timeout
        while True:
            value = self.metrics().get(name)
            if value is not None and condition(value):
                return value
            assert time.monotonic() < until, f"{name} is {value}. Output of {self.process.name}:\n{self.process.output}"
            time.sleep(0.1)


def send(service: Service, *tasks: str, queue: str = "emails", args: tuple[str, ...] = ()) -> None:
    """Publish tasks with the same arguments from one process."""
    service.run_python(SEND.format(tasks=[(f"metrics_check.tasks.emails.{task}", args) for task in tasks], queue=queue))


def task_counter(task: str, outcome: str, queue: str = "emails") -> str:
    """Return the name of the counter of a task and an outcome."""
    return f'celery_tasks_total{{outcome="{outcome}",queue="{queue}",task="metrics_check.tasks.emails.{task}"}}'


SELECTOR = re.compile(r"(?:(?:by|on) \(([\w, ]+)\) )?[(\w]*?\b(celery_\w+)(\{[^}]*\})?")


def parse_used_metrics(project: BakedProject) -> set[tuple[str, frozenset[str]]]:
    """Return the metrics of the alerts and the dashboard, with the labels in their aggregations and selectors."""
    groups = yaml.safe_load(project.read("deploy/monitoring/rules.yaml"))["groups"]
    panels = json.loads(project.read("deploy/monitoring/grafana/dashboards/queues.json"))["panels"]
    queries = [target["expr"] for panel in panels for target in panel.get("targets", [])]
    expressions = [rule["expr"] for group in groups for rule in group["rules"]] + queries
    found = [match for expression in expressions for match in SELECTOR.findall(expression)]
    return {(name, frozenset(re.findall(r"\w+", by) + re.findall(r"(\w+)=", selected))) for by, name, selected in found}


@pytest.fixture
def memory_limit(service: Service) -> Iterator[None]:
    """Set `maxmemory` of Redis. Without it, the exporter exports no memory shares."""
    url = service.variables["CELERY_BROKER_URL"]
    command = ["redis-cli", "-u", url, "config", "set", "maxmemory"] if url.startswith("redis") else ["true"]
    subprocess.run([*command, "1gb"], check=True)
    yield
    subprocess.run([*command, "0"], check=True)


@pytest.mark.usefixtures("memory_limit")
def test_processes_export_each_series_of_alerts_and_dashboard(
    project: BakedProject, service: Service, request: pytest.FixtureRequest
) -> None:
    count(request, "live")
    broker = project.answers["broker"]
    exporter = MonitoredProcess(service, "exporter")
    exporter.wait_for_metric("celery_broker_up", lambda up: up == 1)
    send(service, "ping", "ping")
    exporter.wait_for_metric('celery_queue_length{queue="emails"}', lambda length: length == 2)
    if broker == "redis":
        exporter.wait_for_metric('celery_queue_oldest_message_age_seconds{queue="emails"}', lambda age: 0 < age < 120)

    emails, crawl = (MonitoredProcess(service, f"worker-{queue}") for queue in ("emails", "crawl"))
    emails.wait_for_metric('celery_worker_consuming{queue="emails"}', lambda consuming: consuming == 1)
    assert emails.metrics()['celery_worker_concurrency{queue="emails"}'] == 2
    assert emails.metrics()['celery_task_time_limit_seconds{queue="emails"}'] == 3
    emails.wait_for_metric(task_counter("ping", "succeeded"), lambda runs: runs == 2)
    assert (
        emails.metrics()[task_counter("fail", "failed")] == 0
    )  # without the 0, Prometheus would not detect the first increase
    assert emails.metrics()['celery_queue_latency_seconds_count{queue="emails"}'] == 2
    exporter.wait_for_metric('celery_queue_length{queue="emails"}', lambda length: length == 0)

    send(service, "come_back", args=(str(project.path / "back"),))
    send(service, "fail", "hang", "die")
    emails.wait_for_metric(task_counter("fail", "failed"), lambda runs: runs == 1)
    emails.wait_for_metric(task_counter("come_back", "retried"), lambda runs: runs == 1)
    emails.wait_for_metric(task_counter("come_back", "succeeded"), lambda runs: runs == 1)
    emails.wait_for_metric(task_counter("hang", "failed"), lambda runs: runs == 1)
    emails.wait_for_metric(task_counter("die", "lost"), lambda runs: runs == 1)
    hang_labels = 'queue="emails",task="metrics_check.tasks.emails.hang"}'
    assert emails.metrics()[f"celery_task_runtime_seconds_count{{{hang_labels}"] == 1
    assert emails.metrics()[f"celery_tasks_near_time_limit_total{{{hang_labels}"] == 1
    die_labels = 'queue="emails",task="metrics_check.tasks.emails.die"}'  # its time limit is longer
    assert emails.metrics()[f"celery_tasks_near_time_limit_total{{{die_labels}"] == 0
    if broker != "sqs":
        exporter.wait_for_metric("celery_dead_letters", lambda letters: letters >= 1)

    send(service, "ping", queue="crawl")
    crawl.wait_for_metric(task_counter("ping", "succeeded", "crawl"), lambda runs: runs == 1)  # a gevent pool

    beat = MonitoredProcess(service, "beat")
    first_tick = beat.wait_for_metric("celery_beat_last_tick_timestamp_seconds", lambda tick: tick > time.time() - 60)
    beat.wait_for_metric("celery_beat_last_tick_timestamp_seconds", lambda tick: tick > first_tick)
    (due,) = (name for name in beat.metrics() if name.startswith("celery_beat_entry_due_timestamp_seconds{"))
    first_due = beat.metrics()[due]
    beat.wait_for_metric(due, lambda next_due: next_due > first_due)
    crawl.wait_for_metric(
        'celery_tasks_total{outcome="succeeded",queue="crawl",task="metrics_check.tasks.crawl.tick"}',
        lambda runs: runs >= 1,
    )

    exported = [name for each in (exporter, emails, beat) for name in each.metrics()]
    series = {(name.partition("{")[0], frozenset(re.findall(r'(\w+)="', name))) for name in exported}
    used = parse_used_metrics(project)
    assert len(used) > 12
    missing = {name for name, labels in used if not any(name == other and labels <= by for other, by in series)}
    assert missing == (set() if broker == "redis" else {"celery_queue_oldest_message_age_seconds"})
    assert not [name for each in (exporter, emails) for name in each.metrics() if name.startswith("celery_beat")]

    emails.process.popen.terminate()
    emails.process.wait(60)
    assert emails.metrics() == {}


@pytest.mark.parametrize("project", ["redis"], indirect=True)
def test_prometheus_raises_only_the_alerts_of_a_missing_worker_and_a_failing_periodic_task(
    project: BakedProject, service: Service, request: pytest.FixtureRequest
) -> None:
    require_program(shutil.which("prometheus"), "prometheus")
    count(request, "live")
    project.append("tasks/crawl.py", "\n\nimport metrics_check.tasks.crawl as own\n\nown.tick.run = lambda: 1 / 0\n")
    monitored = [MonitoredProcess(service, name) for name in ("exporter", "worker-crawl", "beat")]

    configuration = yaml.safe_load(project.read("deploy/monitoring/prometheus.yaml"))
    configuration["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    configuration["scrape_configs"] = [
        {"job_name": "celery", "static_configs": [{"targets": [each.address for each in monitored]}]}
    ]
    file = project.path / "deploy" / "monitoring" / "quick.yaml"
    file.write_text(yaml.safe_dump(configuration), encoding="utf-8")
    port = free_port()
    service.start(
        [
            "prometheus",
            f"--config.file={file}",
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
            # On a busy machine any task may come near the limit of three seconds.
            rules = [rule for rule in rules if rule["name"] != "CeleryTaskNearTimeLimit"]
            found = [(rule["name"], alert["labels"], alert["state"]) for rule in rules for alert in rule["alerts"]]
            return {(name, of.get("task") or of.get("queue") or "", state) for name, of, state in found}
        return set()

    expected = {
        ("CeleryQueueWithoutConsumers", "emails", "pending"),  # for 5 minutes
        ("CeleryDeadLetters", "", "pending"),
        ("CeleryPeriodicTaskFailed", "metrics_check.tasks.crawl.tick", "firing"),
        ("CeleryTaskFailureRateHigh", "metrics_check.tasks.crawl.tick", "firing"),
    }
    service.wait_until(lambda: alerts() == expected, 90)

    def query(expression: str) -> list[float]:
        """Return the values of an expression."""
        parameters = urllib.parse.urlencode({"query": expression})
        answer: Any = json.load(
            urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?{parameters}", timeout=10)
        )
        return [float(each["value"][1]) for each in answer["data"]["result"]]

    # The dashboard shows a stopped process, not an empty panel.
    monitored[-1].process.kill()
    service.wait_until(lambda: not query("celery_beat_entry_due_timestamp_seconds"))
    panels = json.loads(project.read("deploy/monitoring/grafana/dashboards/queues.json"))["panels"]
    queries = {panel["title"]: panel["targets"][0]["expr"] for panel in panels if panel.get("targets")}
    assert query(queries["Periodic task delay"])
    assert query(queries["Workers"].replace("$queue", "emails")) == [0]
    assert query(queries["Workers"].replace("$queue", "crawl")) == [1]
