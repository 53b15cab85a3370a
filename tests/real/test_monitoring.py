"""The services of `make monitoring`, on a real Docker engine."""

from __future__ import annotations

import base64
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.real.conftest import add_figure
from tests.real.stack import Stack
from tests.real.tasks import ANSWERS, PING_ALL_QUEUES, add_test_task
from tests.support.environments import find_uv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.bakery import Bakery

pytestmark = pytest.mark.real

SCRAPED = {"beat", "exporter", "worker-default", "worker-other"}
SCRAPES = 60
"""Seconds in which Prometheus scrapes all targets and evaluates all rules. Its interval is 15 s."""


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
def stack(
    request: pytest.FixtureRequest, docker_version: str, bake: Bakery, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Return a variant that `make monitoring` has started, without Grafana if its image is not available."""
    assert docker_version
    baked = bake(broker=request.param, **ANSWERS, project_name=f"Monitored {request.param}")
    project = baked.copy_to(tmp_path_factory.mktemp("monitored"))
    add_test_task(project)
    project.run(find_uv(), "lock", "--quiet", timeout=300)
    with Stack(project, profile="monitoring") as running:
        if not has_grafana(running):
            without = "services: {grafana: !reset null}\n"
            (project.path / "compose.override.yaml").write_text(without, encoding="utf-8")
        running.run("make", "monitoring", timeout=1800)
        yield running


def has_grafana(stack: Stack) -> bool:
    """Return whether the image of Grafana exists or can be pulled."""
    image = yaml.safe_load(stack.project.read("compose.yaml"))["services"]["grafana"]["image"]
    return any(
        stack.run("docker", *words, image, check=False).returncode == 0 for words in (("image", "inspect"), ("pull",))
    )


def read_password(stack: Stack, name: str) -> str:
    """Return a password in .env."""
    (found,) = re.findall(rf"^{name}_PASSWORD=(.+)$", stack.project.read(".env"), re.MULTILINE)
    return str(found)


def get(stack: Stack, server: str, path: str, user: str = "", *, method: str = "GET") -> tuple[int, str]:
    """Return the status and the text of a page, requested with `user:password` or without."""
    request = urllib.request.Request(f"http://127.0.0.1:{stack.ports[f'{server}_PORT']}{path}", method=method)
    if user:
        request.add_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
            return response.status, response.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def query_prometheus(stack: Stack, path: str) -> Any:
    """Return the data of a Prometheus API endpoint."""
    status, text = get(stack, "PROMETHEUS", f"/api/v1/{path}")
    assert status == 200, text
    return json.loads(text)["data"]


def alerts(stack: Stack) -> dict[tuple[str, str], str]:
    """Return the states of pending and firing alerts by name and task, queue or ""."""
    found = [(alert["labels"], alert["state"]) for alert in query_prometheus(stack, "alerts")["alerts"]]
    return {(of["alertname"], of.get("task") or of.get("queue") or ""): state for of, state in found}


def wait_for(query: Callable[[], Any], condition: Callable[[Any], bool], timeout: float = SCRAPES) -> float:
    """Repeat a query until its result meets a condition. Return the seconds."""
    started = time.monotonic()
    while not condition(found := query()):
        assert time.monotonic() < started + timeout, found
        time.sleep(0.5)  # HTTP has no events
    return time.monotonic() - started


def test_make_monitoring_starts_the_monitoring_services(stack: Stack, request: pytest.FixtureRequest) -> None:
    services = stack.services()

    assert {"exporter", "flower", "prometheus", *SCRAPED} <= set(services)
    assert {stack.health(name) for name in services} == {"healthy"}
    found = stack.health("grafana") if "grafana" in services else "not tested: its image is not available"
    add_figure(request, "Grafana", found)
    added = stack.measure_image(f"{stack.image}-flower") - stack.measure_image(stack.image)
    add_figure(request, "additional size of Flower's image", f"{added:.1f} MB")
    for name in ("exporter", "flower", "prometheus"):
        assert stack.inspect(name)["RestartCount"] == 0, name


def test_monitoring_services_have_minimal_privileges(stack: Stack) -> None:
    for service in set(stack.services()) & {"exporter", "flower", "prometheus", "grafana"}:
        stack.assert_minimal_privileges(service)


def test_flower_requires_its_password_and_shows_workers_and_tasks(stack: Stack) -> None:
    valid = f"flower:{read_password(stack, 'FLOWER')}"
    shutdown = f"/api/worker/shutdown/{urllib.parse.quote('other@here')}"
    for path in ("/", "/workers", "/tasks", "/broker", "/api/workers", "/api/tasks", shutdown):
        method = "POST" if path == shutdown else "GET"
        assert get(stack, "FLOWER", path, method=method)[0] == 401, path
        assert get(stack, "FLOWER", path, "flower:wrong", method=method)[0] == 401, path
    for path in ("/", "/tasks", "/broker"):
        assert get(stack, "FLOWER", path, valid)[0] == 200, path

    def workers() -> set[str]:
        shown = json.loads(get(stack, "FLOWER", "/workers?json=1", valid)[1])["data"]
        return {worker["hostname"].partition("@")[0] for worker in shown if worker["status"]}

    wait_for(workers, {"default", "other"}.__eq__)
    container = stack.inspect("worker-other")["Id"]
    with stack.follow("docker", "logs", "--follow", container, name="worker-other") as logs:
        logs.wait_for_line("enabled by remote")  # Flower enables events every five seconds
    stack.run_python('answer = send("other", "shown").get(timeout=60)')

    def tasks() -> list[tuple[str, str]]:
        shown = json.loads(get(stack, "FLOWER", "/api/tasks", valid)[1]).values()
        return [(task["name"].rpartition(".")[2], task["state"]) for task in shown]

    wait_for(tasks, lambda shown: ("report", "SUCCESS") in shown)


def test_prometheus_scrapes_each_process_and_evaluates_each_rule(stack: Stack, request: pytest.FixtureRequest) -> None:
    def targets() -> list[tuple[str, str]]:
        found = query_prometheus(stack, "targets?state=active")["activeTargets"]
        return sorted((target["labels"]["service"], target["health"]) for target in found)

    wait_for(targets, [(name, "up") for name in sorted(SCRAPED)].__eq__)
    add_figure(request, "processes that Prometheus scrapes", f"{len(SCRAPED)} of {len(SCRAPED)}")

    groups = yaml.safe_load(stack.project.read("deploy/monitoring/rules.yaml"))["groups"]
    rules = sum(len(group["rules"]) for group in groups)

    def states() -> list[str]:
        evaluated = [rule for group in query_prometheus(stack, "rules")["groups"] for rule in group["rules"]]
        return [f"{rule['health']} {rule['state']}" for rule in evaluated]

    wait_for(states, (["ok inactive"] * rules).__eq__)
    add_figure(request, "evaluated rules that are inactive", str(rules))


def test_an_alert_fires(stack: Stack, request: pytest.FixtureRequest) -> None:
    # Prometheus must have scraped 0 before: an increase from no value to nine is not detected.
    wait_for(lambda: query_prometheus(stack, "query?query=celery_worker_consuming")["result"], bool)
    failed = 'send("default", f"fails-{number}", "no number").get(timeout=60, propagate=False)'
    stack.run_python(f"answer = [repr({failed}) for number in range(9)]")

    def failing() -> set[tuple[str, str]]:
        found = alerts(stack)
        return {(of.rpartition(".")[2], found[name, of]) for name, of in found if name == "CeleryTaskFailureRateHigh"}

    seconds = wait_for(failing, {("report", "firing")}.__eq__)

    add_figure(request, "an alert fires after nine tasks have failed", f"{seconds:.1f} s")
    # It fires after five minutes. The test does not wait.
    wait_for(lambda: alerts(stack).get(("CeleryDeadLetters", "")), "pending".__eq__)


def test_a_stopped_worker_raises_an_alert(stack: Stack, request: pytest.FixtureRequest) -> None:
    alert = ("CeleryQueueWithoutConsumers", "other")
    wait_for(lambda: alerts(stack), lambda found: alert not in found)
    stack.compose("stop", "worker-other")
    try:
        seconds = wait_for(lambda: alerts(stack).get(alert), "pending".__eq__)
        assert ("CeleryQueueWithoutConsumers", "default") not in alerts(stack)
    finally:
        stack.compose("start", "worker-other")
    add_figure(request, "a stopped worker raises an alert after", f"{seconds:.1f} s")
    wait_for(lambda: alerts(stack), lambda found: alert not in found, 2 * SCRAPES)


def test_a_broker_outage_raises_an_alert_and_stops_no_monitoring_service(
    stack: Stack, request: pytest.FixtureRequest
) -> None:
    services = ("exporter", "flower", "prometheus")
    before = {name: stack.inspect(name)["State"]["StartedAt"] for name in services}
    broker = str(stack.project.answers["broker"])
    unreachable = ("CeleryBrokerUnreachable", "")
    wait_for(lambda: alerts(stack), lambda found: unreachable not in found)

    stack.compose("stop", broker)
    try:
        seconds = wait_for(lambda: alerts(stack).get(unreachable), "pending".__eq__, 2 * SCRAPES)
    finally:
        stack.compose("start", broker)
    add_figure(request, "a broker outage raises an alert after", f"{seconds:.1f} s")
    wait_for(lambda: alerts(stack), lambda found: unreachable not in found, 2 * SCRAPES)
    stack.run_python(PING_ALL_QUEUES)  # the workers send task events now
    valid = f"flower:{read_password(stack, 'FLOWER')}"
    assert get(stack, "FLOWER", "/", valid)[0] == 200
    assert {name: stack.inspect(name)["State"]["StartedAt"] for name in services} == before


def test_hung_monitoring_services_become_unhealthy(stack: Stack, request: pytest.FixtureRequest) -> None:
    hung = ("flower", "exporter")  # in the order of their detection
    with ExitStack() as exit_stack:
        events = {name: exit_stack.enter_context(stack.events(name, "health_status")) for name in hung}
        started = time.monotonic()
        try:
            for name in hung:
                stack.signal(name, "SIGSTOP")
            for name in hung:
                events[name].wait_for_line("unhealthy", 360)
                add_figure(
                    request, f"{name} stopped by SIGSTOP is unhealthy after", f"{time.monotonic() - started:.0f} s"
                )
        finally:
            for name in hung:
                stack.signal(name, "SIGCONT")
        for name in hung:
            events[name].wait_for_line(lambda line: line.endswith(": healthy"), 120)


def test_grafana_has_its_dashboard_and_queries_prometheus(stack: Stack) -> None:
    if "grafana" not in stack.services():
        pytest.skip("the image of Grafana is not available")
    valid = f"admin:{read_password(stack, 'GRAFANA')}"
    board = json.loads(stack.project.read("deploy/monitoring/grafana/dashboards/queues.json"))["uid"]
    assert get(stack, "GRAFANA", f"/api/dashboards/uid/{board}")[0] == 401
    assert get(stack, "GRAFANA", f"/api/dashboards/uid/{board}", valid)[0] == 200
    assert get(stack, "GRAFANA", "/api/datasources/uid/prometheus/health", valid)[0] == 200


def test_make_down_stops_the_monitoring_services(stack: Stack) -> None:
    stack.run("make", "down")

    assert stack.services() == {}
