"""The image and the services of compose.yaml, on a real Docker engine."""

from __future__ import annotations

import json
import re
import subprocess
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.real.conftest import figure
from tests.real.stack import Stack
from tests.real.work import ANSWERS, ENOUGH, LOAD, PING_EVERYWHERE, give_work, wait_until_started
from tests.support.environments import uv

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.bakery import Bakery

pytestmark = pytest.mark.real

VARIANTS: dict[str, dict[str, str | bool]] = {
    "none-redis": {"framework": "none", "broker": "redis"},
    "fastapi-rabbitmq": {"framework": "fastapi", "broker": "rabbitmq"},
    "django-rabbitmq": {"framework": "django", "broker": "rabbitmq"},
}
APPS = ("worker-", "beat", "api", "web")
OUTAGE = 140
"""Seconds without a broker: longer than `MAX_FILE_AGE` in health.py, after which who shows no life counts as dead."""


@pytest.fixture(scope="module", params=[pytest.param(answers, id=name) for name, answers in VARIANTS.items()])
def stack(
    request: pytest.FixtureRequest, docker: str, bake: Bakery, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A variant that `make up` has started."""
    assert docker
    answers = request.param
    name = f"Real {answers['framework']} {answers['broker']}"
    project = bake(**answers, **ANSWERS, project_name=name).copy_to(tmp_path_factory.mktemp("stack"))
    give_work(project)
    project.run(uv(), "lock", "--quiet", timeout=300)
    with Stack(project) as running:
        running.run("make", "up", timeout=1800)
        yield running


def test_make_up_writes_passwords_once_and_starts_everything(stack: Stack, request: pytest.FixtureRequest) -> None:
    written = stack.project.read(".env")
    passwords = re.findall(r"^\w+_(?:PASSWORD|KEY)=(.*)$", written, re.MULTILINE)
    assert (stack.project.path / ".env").stat().st_mode & 0o777 == 0o600
    assert min(map(len, passwords)) >= 40
    assert len(set(passwords)) == len(passwords)
    containers = stack.services()
    assert stack.compose("config", "--quiet").stderr == ""

    started = time.monotonic()
    stack.run("make", "up")

    figure(request, "a second make up, nothing changed", f"{time.monotonic() - started:.1f} s")
    assert stack.project.read(".env") == written
    assert stack.services() == containers
    assert {stack.health(service) for service in containers} == {"healthy"}


def test_the_image_is_small_and_holds_no_tools(stack: Stack, request: pytest.FixtureRequest) -> None:
    base = re.findall(r"^FROM (\S+)", stack.project.read("Dockerfile"), re.MULTILINE)[-1]
    plain = f"{stack.image}:plain"
    file = f"FROM {base}\nCOPY pyproject.toml README.md /src/\nCOPY src /src/src\nRUN pip install --quiet /src\n"
    (stack.project.path / "Dockerfile.plain").write_text(file, encoding="utf-8")

    missing = "import os, shutil; print(os.getuid(), [*filter(shutil.which, ['cc', 'gcc', 'make', 'git', 'uv'])])"
    assert stack.python("worker-default", missing).stdout.strip() == "10001 []"
    try:
        stack.run("docker", "build", "--tag", plain, "--file", "Dockerfile.plain", ".")
        sizes = [stack.megabytes(image) for image in (stack.image, plain, base)]
    finally:
        stack.run("docker", "image", "rm", plain, check=False)
    figure(request, "image, a plain pip install, their base", "{:.1f}, {:.1f}, {:.1f} MB".format(*sizes))
    assert sizes[0] < sizes[1] * 1.15  # compiled in advance, so that each container need not


def test_a_change_of_the_source_does_not_install_the_dependencies_again(
    stack: Stack, request: pytest.FixtureRequest
) -> None:
    module = stack.project.package / "health.py"
    module.write_text(module.read_text(encoding="utf-8") + "\n# Changed.\n", encoding="utf-8")

    seconds, said = stack.build()

    figure(request, "build after a change of the source", f"{seconds:.1f} s")
    assert re.search(r"#(\d+) .*uv sync .* --no-install-project\n#\1 CACHED", said), said
    assert seconds < 60


def test_services_can_do_little(stack: Stack) -> None:
    for service in stack.services():
        stack.can_do_little(service)


def test_a_task_runs_through_each_queue(stack: Stack, request: pytest.FixtureRequest) -> None:
    seconds = stack.ask(PING_EVERYWHERE)

    assert set(seconds) == {"default", "other"}
    figure(request, "a task through each queue", ", ".join(f"{queue} {took} s" for queue, took in seconds.items()))


def test_a_stop_lets_a_running_task_finish(stack: Stack) -> None:
    stack.ask(f'send("other", "stopped", held=True)\n{wait_until_started("stopped")}answer = 1')
    container = stack.inspect("worker-other")["Id"]
    with stack.follow("docker", "logs", "--follow", "--since", "1m", container, name="worker-other") as logs:
        with stack.follow("docker", "compose", "stop", "worker-other", name="stop") as stop:
            logs.wait_for_line(lambda line: "warm shutdown" in line.lower())
            with pytest.raises(subprocess.TimeoutExpired):
                stop.popen.wait(2)
            stack.ask('redis.rpush("release:stopped", 1)\nanswer = 1')
            assert stop.wait(60) == 0
        logs.wait_for_line(lambda line: "task succeeded" in line)
    assert stack.inspect("worker-other")["State"]["ExitCode"] == 0
    stack.compose("up", "--detach", "--wait", "--no-build", "--no-recreate")


def test_a_killed_worker_comes_back_by_itself(stack: Stack, request: pytest.FixtureRequest) -> None:
    before = stack.inspect("worker-other")
    with stack.events("worker-other", "health_status") as events:
        started = time.monotonic()
        stack.signal("worker-other", "SIGKILL")
        events.wait_for_line("healthy", 60)
        took = time.monotonic() - started

    after = stack.inspect("worker-other")
    assert after["Id"] == before["Id"]
    assert after["RestartCount"] == before["RestartCount"] + 1
    figure(request, "a worker killed with SIGKILL is healthy again after", f"{took:.1f} s")


def test_what_hangs_turns_unhealthy_and_what_is_busy_does_not(stack: Stack, request: pytest.FixtureRequest) -> None:
    # In the order in which they turn. Gunicorn is not among them: while its main process hangs, its others serve.
    hanging = [name for name in ("api", "beat", "worker-other") if name in stack.services()]
    stack.ask(f'send("default", "busy", held=True)\n{wait_until_started("busy")}answer = 1')
    with ExitStack() as ended:
        events = {name: ended.enter_context(stack.events(name, "health_status")) for name in hanging}
        started = time.monotonic()
        try:
            for name in hanging:
                stack.signal(name, "SIGSTOP")
            for name in hanging:
                events[name].wait_for_line("unhealthy", 360)
                figure(request, f"{name} stopped by SIGSTOP is unhealthy after", f"{time.monotonic() - started:.0f} s")
            assert stack.health("worker-default") == "healthy"
        finally:
            for name in hanging:
                stack.signal(name, "SIGCONT")
        for name in hanging:
            events[name].wait_for_line(lambda line: line.endswith(": healthy"), 120)
    assert stack.ask('redis.rpush("release:busy", 1)\nanswer = redis.blpop(["finished"], timeout=30) is not None')


def test_a_broker_that_is_away_kills_nobody(stack: Stack, request: pytest.FixtureRequest) -> None:
    broker = str(stack.project.answers["broker"])
    names = [name for name in stack.services() if name.startswith(APPS)]
    before = {name: stack.inspect(name)["State"]["StartedAt"] for name in names}

    stack.compose("stop", broker)
    time.sleep(OUTAGE)  # it is the duration that may do harm: there is no event to wait for
    for name in names:
        if name not in {"api", "web"}:
            stack.compose("exec", "-T", name, "python", "-m", f"{stack.project.slug}.health")
            assert stack.health(name) == "healthy", name
    with ExitStack() as ended:
        waiting = []
        for name in set(names) & {"api", "web"}:  # they are not ready, and go on all the same
            assert stack.health(name) == "unhealthy"
            waiting.append(ended.enter_context(stack.events(name, "health_status")))
        stack.compose("start", broker)
        started = time.monotonic()
        stack.ask(PING_EVERYWHERE)
        for events in waiting:
            events.wait_for_line(lambda line: line.endswith(": healthy"), 120)

    figure(request, f"after {OUTAGE} s without a broker, all works again in", f"{time.monotonic() - started:.1f} s")
    after = {name: stack.inspect(name)["State"]["StartedAt"] for name in names}
    assert after == before


def test_an_upgrade_under_load_loses_nothing(stack: Stack, request: pytest.FixtureRequest) -> None:
    module = stack.project.package / "health.py"
    module.write_text(module.read_text(encoding="utf-8") + "\n# Changed again.\n", encoding="utf-8")
    before = stack.services()
    with stack.follow(*stack.client(LOAD), name="load") as load:
        load.wait_for_line("under load", 120)
        started = time.monotonic()
        stack.run("make", "up")
        took = time.monotonic() - started
        stack.ask(ENOUGH)
        load.wait_for_line('"sent"', 300)
    found = json.loads(load.lines[-1])

    figure(
        request,
        "upgrade (build and replace) under load",
        f"{took:.1f} s; {found['sent']} sent, {len(found['lost'])} lost, {found['runs'] - found['different']} twice",
    )
    after = stack.services()
    replaced = [name for name in after if name.startswith(APPS)]
    assert all(after[name] != before[name] for name in replaced)
    assert found["lost"] == []
    assert found["different"] == found["sent"]


def test_settings_of_the_environment_reach_the_worker(stack: Stack) -> None:
    with (stack.project.path / ".env").open("a", encoding="utf-8") as file:
        file.write("WORKER_OTHER_CONCURRENCY=2\n")

    stack.run("make", "up")

    asked = "list(app.control.inspect(timeout=5).stats().items())"
    found = stack.ask(f"answer = {{name: stats['pool']['max-concurrency'] for name, stats in {asked}}}")
    assert sorted(found.values()) == [2, 2]
