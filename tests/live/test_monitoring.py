"""What the processes of a running project show on each real broker, with the very names that its rules use."""

from __future__ import annotations

import contextlib
import json
import re
import shutil
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


def asked(project: BakedProject) -> set[str]:
    """The metrics that the rules ask for, without the labels."""
    groups = yaml.safe_load(project.read("deploy/monitoring/rules.yaml"))["groups"]
    texts = [re.sub(r'"[^"]*"', "", rule["expr"]) for group in groups for rule in group["rules"]]
    return {name for text in texts for name in re.findall(r"\bcelery_\w+", text)}


def test_its_processes_show_a_backlog_consumers_every_end_of_a_task_and_beats_ticks(
    project: BakedProject, service: Service, request: pytest.FixtureRequest
) -> None:
    count(request, "live")
    broker = project.answers["broker"]
    exporter = Watched(service, "exporter")
    exporter.shows("celery_broker_up", lambda up: up == 1)
    send(service, "ping", "ping")
    exporter.shows('celery_queue_length{queue="emails"}', lambda length: length == 2)
    if broker == "redis":
        exporter.shows('celery_queue_oldest_age_seconds{queue="emails"}', lambda age: 0 < age < 120)

    emails, crawl = (Watched(service, f"worker-{queue}") for queue in ("emails", "crawl"))
    emails.shows('celery_worker_consuming{queue="emails"}', lambda consuming: consuming == 1)
    emails.shows(ended("ping", "succeeded"), lambda runs: runs == 2)
    assert emails.metrics()[ended("fail", "failed")] == 0  # or Prometheus would not see the first
    assert emails.metrics()['celery_task_wait_seconds_count{queue="emails"}'] == 2
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
    assert emails.metrics()[f'celery_task_runtime_seconds_bucket{{le="2.4",{of_hang}'] == 0
    if broker != "sqs":
        exporter.shows("celery_dead_letters", lambda letters: letters >= 1)

    send(service, "ping", queue="crawl")
    crawl.shows(ended("ping", "succeeded", "crawl"), lambda runs: runs == 1)  # a pool without processes

    beat = Watched(service, "beat")
    first = beat.shows("celery_beat_last_tick_timestamp_seconds", lambda tick: tick > time.time() - 60)
    beat.shows("celery_beat_last_tick_timestamp_seconds", lambda tick: tick > first)
    (due,) = (name for name in beat.metrics() if name.startswith("celery_beat_job_due_timestamp_seconds{"))
    known = beat.metrics()[due]
    beat.shows(due, lambda later: later > known)
    crawl.shows(
        'celery_tasks_total{outcome="succeeded",queue="crawl",task="watched.tasks.crawl.tick"}', lambda runs: runs >= 1
    )

    shown = {name.partition("{")[0] for each in (exporter, emails, beat) for name in each.metrics()}
    assert asked(project) <= shown

    emails.process.popen.terminate()
    emails.process.wait(60)
    assert emails.metrics() == {}


@pytest.mark.parametrize("project", ["redis"], indirect=True)
def test_prometheus_itself_sees_a_queue_without_a_consumer_and_a_failed_job(
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

    def states() -> dict[tuple[str, str], str]:
        """The state of each rule, by its name and its queue or job."""
        with contextlib.suppress(urllib.error.URLError, ConnectionError):
            answer: Any = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/rules", timeout=10))
            rules = [rule for group in answer["data"]["groups"] for rule in group["rules"]]
            assert not [rule for rule in rules if rule["health"] == "err"]
            labels = [(rule, rule["labels"]) for rule in rules]
            return {(r["name"], of.get("queue") or of.get("job_name") or ""): r["state"] for r, of in labels}
        return {}

    expected = {
        ("QueueWithoutConsumer", "emails"): "pending",  # it has to last for five minutes
        ("QueueWithoutConsumer", "crawl"): "inactive",
        ("JobFailed", "tick"): "firing",
        ("JobNotSent", "tick"): "inactive",
        ("BeatSilent", ""): "inactive",
        ("BrokerUnseen", ""): "inactive",
        ("DeadLetters", ""): "pending",
    }
    until = time.monotonic() + 90
    while not expected.items() <= (found := states()).items():
        assert time.monotonic() < until, (found, [each.process.output for each in watched])
        time.sleep(0.5)

    def shown(expression: str) -> list[float]:
        """What Prometheus has for an expression now."""
        query = urllib.parse.urlencode({"query": expression})
        answer: Any = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/query?{query}", timeout=10))
        return [float(each["value"][1]) for each in answer["data"]["result"]]

    # The dashboard shows who is away, instead of nothing.
    watched[-1].process.kill()
    until = time.monotonic() + 30
    while shown("celery_beat_job_due_timestamp_seconds"):
        assert time.monotonic() < until
        time.sleep(0.5)
    graphs = json.loads(project.read("deploy/monitoring/grafana/dashboards/queues.json"))["panels"]
    numbers = {target["expr"]: shown(target["expr"]) for graph in graphs for target in graph.get("targets", [])}
    (late,) = (found for expression, found in numbers.items() if "celery_beat_job_due" in expression)
    assert late
    workers = {expression: found for expression, found in numbers.items() if "celery_worker_consuming" in expression}
    assert {tuple(found) for found in workers.values()} == {(0,), (1,)}  # of emails, and of crawl
