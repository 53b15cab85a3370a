"""The image and the services in compose.yaml, on a real Docker engine."""

from __future__ import annotations

import json
import re
import subprocess
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.real.conftest import add_figure
from tests.real.stack import Stack
from tests.real.tasks import ANSWERS, LOAD, PING_ALL_QUEUES, STOP_LOAD, add_test_task, wait_for_start
from tests.support.environments import find_uv

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
"""Seconds without a broker: longer than `MAX_FILE_AGE` in health.py, after which a heartbeat is too old."""


@pytest.fixture(scope="module", params=[pytest.param(answers, id=name) for name, answers in VARIANTS.items()])
def stack(
    request: pytest.FixtureRequest, docker_version: str, bake: Bakery, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Return a variant that `make up` has started."""
    assert docker_version
    answers = request.param
    name = f"Real {answers['framework']} {answers['broker']}"
    project = bake(**answers, **ANSWERS, project_name=name).copy_to(tmp_path_factory.mktemp("stack"))
    add_test_task(project)
    project.run(find_uv(), "lock", "--quiet", timeout=300)
    with Stack(project) as running:
        running.run("make", "up", timeout=1800)
        yield running


def test_make_up_generates_passwords_once_and_starts_all_services(stack: Stack, request: pytest.FixtureRequest) -> None:
    text = stack.project.read(".env")
    passwords = re.findall(r"^\w+_(?:PASSWORD|KEY)=(.*)$", text, re.MULTILINE)
    assert (stack.project.path / ".env").stat().st_mode & 0o777 == 0o600
    assert min(map(len, passwords)) >= 40
    assert len(set(passwords)) == len(passwords)
    containers = stack.services()
    assert stack.compose("config", "--quiet").stderr == ""

    started = time.monotonic()
    stack.run("make", "up")

    add_figure(request, "a second make up, nothing changed", f"{time.monotonic() - started:.1f} s")
    assert stack.project.read(".env") == text
    assert stack.services() == containers
    assert {stack.health(service) for service in containers} == {"healthy"}


def test_the_image_is_small_and_contains_no_tools(stack: Stack, request: pytest.FixtureRequest) -> None:
    base = re.findall(r"^FROM (\S+)", stack.project.read("Dockerfile"), re.MULTILINE)[-1]
    plain = f"{stack.image}:plain"
    file = f"FROM {base}\nCOPY pyproject.toml README.md /src/\nCOPY src /src/src\nRUN pip install --quiet /src\n"
    (stack.project.path / "Dockerfile.plain").write_text(file, encoding="utf-8")

    missing = "import os, shutil; print(os.getuid(), [*filter(shutil.which, ['cc', 'gcc', 'make', 'git', 'uv'])])"
    assert stack.python("worker-default", missing).stdout.strip() == "10001 []"
    try:
        stack.run("docker", "build", "--tag", plain, "--file", "Dockerfile.plain", ".")
        sizes = [stack.measure_image(image) for image in (stack.image, plain, base)]
    finally:
        stack.run("docker", "image", "rm", plain, check=False)
    add_figure(request, "image, a plain pip install, their base", "{:.1f}, {:.1f}, {:.1f} MB".format(*sizes))
    assert sizes[0] < sizes[1] * 1.15  # includes bytecode, so that containers start faster


def test_a_source_change_does_not_reinstall_the_dependencies(stack: Stack, request: pytest.FixtureRequest) -> None:
    module = stack.project.package / "health.py"
    module.write_text(module.read_text(encoding="utf-8") + "\n# Changed.\n", encoding="utf-8")

    seconds, output = stack.build()

    add_figure(request, "build after a change of the source", f"{seconds:.1f} s")
    assert re.search(r"#(\d+) .*uv sync .* --no-install-project\n#\1 CACHED", output), output
    assert seconds < 60


def test_services_have_minimal_privileges(stack: Stack) -> None:
    for service in stack.services():
        stack.assert_minimal_privileges(service)


def test_a_task_runs_on_each_queue(stack: Stack, request: pytest.FixtureRequest) -> None:
    runtimes = stack.run_python(PING_ALL_QUEUES)

    assert set(runtimes) == {"default", "other"}
    add_figure(
        request, "a task on each queue", ", ".join(f"{queue} {seconds} s" for queue, seconds in runtimes.items())
    )


def test_a_running_task_finishes_during_a_stop(stack: Stack) -> None:
    stack.run_python(f'send("other", "stopped", wait=True)\n{wait_for_start("stopped")}answer = 1')
    container = stack.inspect("worker-other")["Id"]
    with stack.follow("docker", "logs", "--follow", "--since", "1m", container, name="worker-other") as logs:
        with stack.follow("docker", "compose", "stop", "worker-other", name="stop") as stop:
            logs.wait_for_line('"worker stopping"')
            with pytest.raises(subprocess.TimeoutExpired):
                stop.popen.wait(2)
            stack.run_python('redis.rpush("release:stopped", 1)\nanswer = 1')
            assert stop.wait(60) == 0
        logs.wait_for_line(lambda line: "task succeeded" in line)
    assert stack.inspect("worker-other")["State"]["ExitCode"] == 0
    stack.compose("up", "--detach", "--wait", "--no-build", "--no-recreate")


def test_a_killed_worker_is_restarted(stack: Stack, request: pytest.FixtureRequest) -> None:
    before = stack.inspect("worker-other")
    with stack.events("worker-other", "health_status") as events:
        started = time.monotonic()
        stack.signal("worker-other", "SIGKILL")
        events.wait_for_line("healthy", 60)
        seconds = time.monotonic() - started

    after = stack.inspect("worker-other")
    assert after["Id"] == before["Id"]
    assert after["RestartCount"] == before["RestartCount"] + 1
    add_figure(request, "a worker killed with SIGKILL is healthy again after", f"{seconds:.1f} s")


def test_hung_services_become_unhealthy_and_busy_ones_do_not(stack: Stack, request: pytest.FixtureRequest) -> None:
    # In the order of their detection. Without Gunicorn, whose other processes serve while its main process hangs.
    hung = [name for name in ("api", "beat", "worker-other") if name in stack.services()]
    stack.run_python(f'send("default", "busy", wait=True)\n{wait_for_start("busy")}answer = 1')
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
            assert stack.health("worker-default") == "healthy"
        finally:
            for name in hung:
                stack.signal(name, "SIGCONT")
        for name in hung:
            events[name].wait_for_line(lambda line: line.endswith(": healthy"), 120)
    assert stack.run_python(
        'redis.rpush("release:busy", 1)\nanswer = redis.blpop(["finished"], timeout=30) is not None'
    )


def test_a_broker_outage_stops_no_service(stack: Stack, request: pytest.FixtureRequest) -> None:
    broker = str(stack.project.answers["broker"])
    names = [name for name in stack.services() if name.startswith(APPS)]
    before = {name: stack.inspect(name)["State"]["StartedAt"] for name in names}

    stack.compose("stop", broker)
    time.sleep(OUTAGE)  # the duration is the test: no event ends it
    for name in names:
        if name not in {"api", "web"}:
            stack.compose("exec", "-T", name, "python", "-m", f"{stack.project.slug}.health")
            assert stack.health(name) == "healthy", name
    with ExitStack() as exit_stack:
        http_events = []
        for name in set(names) & {"api", "web"}:  # not ready, but running
            assert stack.health(name) == "unhealthy"
            http_events.append(exit_stack.enter_context(stack.events(name, "health_status")))
        stack.compose("start", broker)
        started = time.monotonic()
        stack.run_python(PING_ALL_QUEUES)
        for events in http_events:
            events.wait_for_line(lambda line: line.endswith(": healthy"), 120)

    add_figure(
        request, f"after {OUTAGE} s without a broker, all services work after", f"{time.monotonic() - started:.1f} s"
    )
    after = {name: stack.inspect(name)["State"]["StartedAt"] for name in names}
    assert after == before


def test_an_upgrade_under_load_loses_no_task(stack: Stack, request: pytest.FixtureRequest) -> None:
    module = stack.project.package / "health.py"
    module.write_text(module.read_text(encoding="utf-8") + "\n# Changed again.\n", encoding="utf-8")
    before = stack.services()
    with stack.follow(*stack.client(LOAD), name="load") as load:
        load.wait_for_line("under load", 120)
        started = time.monotonic()
        stack.run("make", "up")
        seconds = time.monotonic() - started
        stack.run_python(STOP_LOAD)
        load.wait_for_line('"sent"', 300)
    found = json.loads(load.lines[-1])

    add_figure(
        request,
        "upgrade (build and replace) under load",
        f"{seconds:.1f} s; {found['sent']} sent, {len(found['lost'])} lost, {found['runs'] - found['distinct']} twice",
    )
    after = stack.services()
    replaced = [name for name in after if name.startswith(APPS)]
    assert all(after[name] != before[name] for name in replaced)
    assert found["lost"] == []
    assert found["distinct"] == found["sent"]


def test_a_worker_uses_the_settings_of_the_environment(stack: Stack) -> None:
    with (stack.project.path / ".env").open("a", encoding="utf-8") as file:
        file.write("WORKER_OTHER_CONCURRENCY=2\n")

    stack.run("make", "up")

    stats = "list(app.control.inspect(timeout=5).stats().items())"
    found = stack.run_python(f"answer = {{name: stats['pool']['max-concurrency'] for name, stats in {stats}}}")
    assert sorted(found.values()) == [2, 2]
