"""Unusable Redis servers, and the Redis users in docs/operations.md."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.conftest import count, require_program
from tests.live.service import Service
from tests.support.brokers import find_redis_server, run_redis
from tests.support.processes import Process, free_port, wait_for_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.bakery import Bakery
    from tests.support.environments import Environment
    from tests.support.project import BakedProject

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("doctor")]

TASKS = """

@shared_task(ignore_result=False)
def double(number: int) -> int:
    return 2 * number


@shared_task
def fail() -> None:
    raise LookupError
"""
SERVERS = ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "REDBEAT_REDIS_URL")


@pytest.fixture(scope="module")
def project(bake: Bakery, tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """Return a project that uses Redis as broker, result backend and for RedBeat."""
    answers = {"beat_scheduler": "redbeat", "queues": "default:2", "beat_jobs": "tidy = every 1s"}
    baked = bake(project_name="Single", broker="redis", result_backend="redis", examples=False, **answers)
    copy = baked.copy_to(tmp_path_factory.mktemp("single"))
    copy.append("tasks/default.py", TASKS)
    return copy


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Return the URLs of a usable server, of its replica, and of a Redis Cluster with one node."""
    require_program(find_redis_server(), "redis-server")
    folder, port = tmp_path_factory.mktemp("cluster"), free_port()
    command = [str(find_redis_server()), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    command += ["--cluster-enabled", "yes", "--cluster-port", str(free_port())]  # the default port may be above 65535
    with (
        run_redis(tmp_path_factory.mktemp("redis") / "data") as redis_server,
        run_redis(tmp_path_factory.mktemp("replica") / "data") as replica,
        Process(command, cwd=folder, env=os.environ, name="redis-server") as cluster,
    ):
        wait_for_port(port, cluster.popen, 10)
        found = {
            "usable": redis_server.new_database()[:-2],
            "read-only replica": replica.new_database()[:-2],
            "Redis Cluster": f"redis://127.0.0.1:{port}",
        }
        redis_cli(found["Redis Cluster"], "cluster", "addslotsrange", "0", "16383")
        redis_cli(found["read-only replica"], "replicaof", "127.0.0.1", found["usable"].rpartition(":")[2])
        yield found


def redis_cli(url: str, *command: str) -> str:
    """Run a command on a server. Return its output."""
    completed = subprocess.run(
        ["redis-cli", "-u", url, *command], check=True, capture_output=True, text=True, timeout=30
    )
    assert "ERR" not in completed.stdout, completed.stdout
    return completed.stdout


@pytest.mark.parametrize("kind", ["read-only replica", "Redis Cluster"])
@pytest.mark.parametrize("name", SERVERS)
def test_an_unusable_server_is_reported_in_one_line_at_the_start(
    name: str, kind: str, project: BakedProject, environment: Environment, urls: dict[str, str]
) -> None:
    variables = {server: f"{urls['usable']}/{number}" for number, server in enumerate(SERVERS)}
    variables[name] = f"{urls[kind]}/0"
    beat = ("beat", "--schedule", str(project.path / "schedule"))
    command = beat if name == "REDBEAT_REDIS_URL" else ("worker", "-Q", "default", "-c", "1")

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return project.run(*words, environment=environment, variables=variables, check=False, timeout=60)

    started = run("celery", "-q", "-A", "single.celery_app", *command)
    assert started.returncode == 1
    (line,) = [line for line in (started.stdout + started.stderr).splitlines() if kind in line]
    assert line.startswith(f"{name} is a {kind}")
    assert "Traceback" not in started.stdout + started.stderr

    diagnosis = run("python", "-m", "single.doctor")
    assert diagnosis.returncode == 1
    assert kind in diagnosis.stdout


def test_each_process_works_as_its_documented_user(
    project: BakedProject, environment: Environment, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    count(request, "live")
    require_program(find_redis_server(), "redis-server")
    with run_redis(tmp_path / "data") as redis_server:
        server = redis_server.new_database()[:-2]
        (script,) = re.findall(r"```sh\n(QUEUES=.*?)```", project.read("docs/operations.md"), flags=re.DOTALL)
        command = script.replace("redis-cli", f"redis-cli -u {server}")
        completed = subprocess.run(["sh", "-c", command], check=True, capture_output=True, text=True, timeout=30)
        assert completed.stdout.splitlines() == ["OK"] * 5
        redis_cli(server, "config", "set", "maxmemory", "256mb")

        def variables(user: str) -> dict[str, str]:
            """Return the environment variables of a process with a Redis user."""
            host = server.replace("://", f"://{user}:PASSWORD@")
            return {server: f"{host}/{number}" for number, server in enumerate(SERVERS)} | {"LOG_FORMAT": "console"}

        def run_doctor(user: str) -> str:
            """Return the output of the doctor with a Redis user."""
            completed = Service(project, environment, variables(user)).diagnose()
            assert completed.returncode == 0, completed.stdout
            return completed.stdout

        exporter_address = f"127.0.0.1:{free_port()}"
        with (
            Service(project, environment, variables("worker")) as workers,
            Service(project, environment, variables("beat")) as beats,
            Service(project, environment, variables("exporter") | {"METRICS_ADDRESS": exporter_address}) as exporters,
            Service(project, environment, variables("publisher")) as publishers,
        ):
            worker = workers.start_worker("default")
            exporter = exporters.start(["python", "-m", "single.exporter"], "exporter")
            send = (
                "from single.tasks.default import double, fail, ping\n"
                "ping.apply_async(countdown=2)\n"
                "fail.delay()\n"
                "answer = double.delay(21).get(timeout=30)"
            )
            assert publishers.run_python(send) == 42
            worker.wait_for_line("LookupError")
            worker.wait_for_line("tasks.default.ping")
            beats.start_beat("beat")
            worker.wait_for_line("tasks.default.tidy")

            list_dead_letters = ("python", "-m", "single.dead_letters", "list")
            listed = project.run(*list_dead_letters, environment=environment, variables=workers.variables)
            assert "LookupError" in listed.stdout
            printed = run_doctor("doctor")
            assert "unknown" not in printed
            assert "failure" not in printed
            printed = run_doctor("worker")
            assert re.search("^broker: memory +unknown +not checked: ", printed, flags=re.MULTILINE)
            assert "'info'" in printed
            wait_for_port(int(exporter_address.rpartition(":")[2]), exporter.popen, 10)

        denied = redis_cli(server, "acl", "log").splitlines()
        # Only the doctor with the user of the workers.
        assert {denied[at + 1] for at, word in enumerate(denied) if word == "object"} == {"info"}
        assert {denied[at + 1] for at, word in enumerate(denied) if word == "username"} == {"worker"}
