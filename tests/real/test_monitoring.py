"""What `make monitoring` starts, on a real Docker engine."""

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

from tests.real.conftest import figure
from tests.real.stack import Stack
from tests.real.work import ANSWERS, PING_EVERYWHERE, give_work
from tests.support.environments import uv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.bakery import Bakery

pytestmark = pytest.mark.real

WATCHED = {"beat", "exporter", "worker-default", "worker-other"}
SCRAPES = 60
"""Seconds in which Prometheus has looked at everything and evaluated every rule: it does so each 15 s."""


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
def stack(
    request: pytest.FixtureRequest, docker: str, bake: Bakery, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A variant that `make monitoring` has started; without Grafana where its image is not to be had."""
    assert docker
    baked = bake(broker=request.param, **ANSWERS, project_name=f"Watched {request.param}")
    project = baked.copy_to(tmp_path_factory.mktemp("watched"))
    give_work(project)
    project.run(uv(), "lock", "--quiet", timeout=300)
    with Stack(project, profile="monitoring") as running:
        if not has_grafana(running):
            without = "services: {grafana: !reset null}\n"
            (project.path / "compose.override.yaml").write_text(without, encoding="utf-8")
        running.run("make", "monitoring", timeout=1800)
        yield running


def has_grafana(stack: Stack) -> bool:
    """Whether the image that compose.yaml names is there, or comes."""
    image = yaml.safe_load(stack.project.read("compose.yaml"))["services"]["grafana"]["image"]
    return any(
        stack.run("docker", *words, image, check=False).returncode == 0 for words in (("image", "inspect"), ("pull",))
    )


def password(stack: Stack, name: str) -> str:
    """A password of .env."""
    (found,) = re.findall(rf"^{name}_PASSWORD=(.+)$", stack.project.read(".env"), re.MULTILINE)
    return str(found)


def get(stack: Stack, server: str, path: str, user: str = "", *, method: str = "GET") -> tuple[int, str]:
    """The status and the text of a page, for `user:password` or for nobody."""
    request = urllib.request.Request(f"http://127.0.0.1:{stack.ports[f'{server}_PORT']}{path}", method=method)
    if user:
        request.add_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()


def prometheus(stack: Stack, path: str) -> Any:
    """What Prometheus answers."""
    status, text = get(stack, "PROMETHEUS", f"/api/v1/{path}")
    assert status == 200, text
    return json.loads(text)["data"]


def alerts(stack: Stack) -> dict[tuple[str, str], str]:
    """Return the state of each alert that is pending or firing, by its name and its task, queue or nothing."""
    found = [(alert["labels"], alert["state"]) for alert in prometheus(stack, "alerts")["alerts"]]
    return {(of["alertname"], of.get("task") or of.get("queue") or ""): state for of, state in found}


def wait_for(ask: Callable[[], Any], wanted: Callable[[Any], bool], timeout: float = SCRAPES) -> float:
    """Ask until the answer is right; the seconds that took."""
    started = time.monotonic()
    while not wanted(found := ask()):
        assert time.monotonic() < started + timeout, found
        time.sleep(0.5)  # a server that is asked by HTTP has no event
    return time.monotonic() - started


def test_make_monitoring_starts_everything_that_watches(stack: Stack, request: pytest.FixtureRequest) -> None:
    services = stack.services()

    assert {"exporter", "flower", "prometheus", *WATCHED} <= set(services)
    assert {stack.health(name) for name in services} == {"healthy"}
    found = stack.health("grafana") if "grafana" in services else "left out: its image is not to be had here"
    figure(request, "Grafana", found)
    added = stack.megabytes(f"{stack.image}-flower") - stack.megabytes(stack.image)
    figure(request, "what Flower's image has on top", f"{added:.1f} MB")
    for name in ("exporter", "flower", "prometheus"):
        assert stack.inspect(name)["RestartCount"] == 0, name


def test_what_watches_can_do_little(stack: Stack) -> None:
    for service in set(stack.services()) & {"exporter", "flower", "prometheus", "grafana"}:
        stack.can_do_little(service)


def test_flower_asks_for_its_password_and_shows_workers_and_tasks(stack: Stack) -> None:
    right = f"flower:{password(stack, 'FLOWER')}"
    shut = f"/api/worker/shutdown/{urllib.parse.quote('other@here')}"
    for path in ("/", "/workers", "/tasks", "/broker", "/api/workers", "/api/tasks", shut):
        method = "POST" if path == shut else "GET"
        assert get(stack, "FLOWER", path, method=method)[0] == 401, path
        assert get(stack, "FLOWER", path, "flower:wrong", method=method)[0] == 401, path
    for path in ("/", "/tasks", "/broker"):
        assert get(stack, "FLOWER", path, right)[0] == 200, path

    def workers() -> set[str]:
        shown = json.loads(get(stack, "FLOWER", "/workers?json=1", right)[1])["data"]
        return {worker["hostname"].partition("@")[0] for worker in shown if worker["status"]}

    wait_for(workers, {"default", "other"}.__eq__)
    container = stack.inspect("worker-other")["Id"]
    with stack.follow("docker", "logs", "--follow", container, name="worker-other") as logs:
        logs.wait_for_line("enabled by remote")  # Flower asks for events each five seconds
    stack.ask('answer = send("other", "seen").get(timeout=60)')

    def tasks() -> list[tuple[str, str]]:
        shown = json.loads(get(stack, "FLOWER", "/api/tasks", right)[1]).values()
        return [(task["name"].rpartition(".")[2], task["state"]) for task in shown]

    wait_for(tasks, lambda shown: ("work", "SUCCESS") in shown)


def test_prometheus_reaches_every_process_and_evaluates_every_rule(
    stack: Stack, request: pytest.FixtureRequest
) -> None:
    def targets() -> list[tuple[str, str]]:
        found = prometheus(stack, "targets?state=active")["activeTargets"]
        return sorted((target["labels"]["service"], target["health"]) for target in found)

    wait_for(targets, [(name, "up") for name in sorted(WATCHED)].__eq__)
    figure(request, "processes that Prometheus reaches", f"{len(WATCHED)} of {len(WATCHED)}")

    written = yaml.safe_load(stack.project.read("deploy/monitoring/rules.yaml"))["groups"]
    rules = sum(len(group["rules"]) for group in written)

    def states() -> list[str]:
        evaluated = [rule for group in prometheus(stack, "rules")["groups"] for rule in group["rules"]]
        return [f"{rule['health']} {rule['state']}" for rule in evaluated]

    wait_for(states, (["ok inactive"] * rules).__eq__)
    figure(request, "rules that are evaluated, and silent", str(rules))


def test_an_alert_fires(stack: Stack, request: pytest.FixtureRequest) -> None:
    # Prometheus has to have scraped before: it sees no increase from nothing to nine.
    wait_for(lambda: prometheus(stack, "query?query=celery_worker_consuming")["result"], bool)
    failed = 'send("default", f"fails-{number}", "no number").get(timeout=60, propagate=False)'
    stack.ask(f"answer = [repr({failed}) for number in range(9)]")

    def failing() -> set[tuple[str, str]]:
        found = alerts(stack)
        return {(of.rpartition(".")[2], found[name, of]) for name, of in found if name == "CeleryTaskFailureRateHigh"}

    took = wait_for(failing, {("work", "firing")}.__eq__)

    figure(request, "an alert fires after nine tasks have failed", f"{took:.1f} s")
    # It fires after five minutes; the test does not wait for that.
    wait_for(lambda: alerts(stack).get(("CeleryDeadLetters", "")), "pending".__eq__)


def test_a_worker_that_is_stopped_is_missed(stack: Stack, request: pytest.FixtureRequest) -> None:
    missed = ("CeleryQueueWithoutConsumers", "other")
    wait_for(lambda: alerts(stack), lambda found: missed not in found)
    stack.compose("stop", "worker-other")
    try:
        took = wait_for(lambda: alerts(stack).get(missed), "pending".__eq__)
        assert ("CeleryQueueWithoutConsumers", "default") not in alerts(stack)
    finally:
        stack.compose("start", "worker-other")
    figure(request, "a stopped worker is missed after", f"{took:.1f} s")
    wait_for(lambda: alerts(stack), lambda found: missed not in found, 2 * SCRAPES)


def test_a_broker_that_is_away_is_missed_and_stops_nothing_that_watches(
    stack: Stack, request: pytest.FixtureRequest
) -> None:
    watching = ("exporter", "flower", "prometheus")
    before = {name: stack.inspect(name)["State"]["StartedAt"] for name in watching}
    broker = str(stack.project.answers["broker"])
    unreachable = ("CeleryBrokerUnreachable", "")
    wait_for(lambda: alerts(stack), lambda found: unreachable not in found)

    stack.compose("stop", broker)
    try:
        took = wait_for(lambda: alerts(stack).get(unreachable), "pending".__eq__, 2 * SCRAPES)
    finally:
        stack.compose("start", broker)
    figure(request, "a broker that is away is missed after", f"{took:.1f} s")
    wait_for(lambda: alerts(stack), lambda found: unreachable not in found, 2 * SCRAPES)
    stack.ask(PING_EVERYWHERE)  # the workers send events of tasks by now
    right = f"flower:{password(stack, 'FLOWER')}"
    assert get(stack, "FLOWER", "/", right)[0] == 200
    assert {name: stack.inspect(name)["State"]["StartedAt"] for name in watching} == before


def test_what_watches_and_hangs_turns_unhealthy(stack: Stack, request: pytest.FixtureRequest) -> None:
    hanging = ("flower", "exporter")  # in the order in which they turn
    with ExitStack() as ended:
        events = {name: ended.enter_context(stack.events(name, "health_status")) for name in hanging}
        started = time.monotonic()
        try:
            for name in hanging:
                stack.signal(name, "SIGSTOP")
            for name in hanging:
                events[name].wait_for_line("unhealthy", 360)
                figure(request, f"{name} stopped by SIGSTOP is unhealthy after", f"{time.monotonic() - started:.0f} s")
        finally:
            for name in hanging:
                stack.signal(name, "SIGCONT")
        for name in hanging:
            events[name].wait_for_line(lambda line: line.endswith(": healthy"), 120)


def test_grafana_has_its_dashboard_and_reaches_prometheus(stack: Stack) -> None:
    if "grafana" not in stack.services():
        pytest.skip("the image of Grafana is not to be had")
    right = f"admin:{password(stack, 'GRAFANA')}"
    board = json.loads(stack.project.read("deploy/monitoring/grafana/dashboards/queues.json"))["uid"]
    assert get(stack, "GRAFANA", f"/api/dashboards/uid/{board}")[0] == 401
    assert get(stack, "GRAFANA", f"/api/dashboards/uid/{board}", right)[0] == 200
    assert get(stack, "GRAFANA", "/api/datasources/uid/prometheus/health", right)[0] == 200


def test_make_down_ends_what_watches_too(stack: Stack) -> None:
    stack.run("make", "down")

    assert stack.services() == {}
