"""`python -m <slug>.doctor` on real brokers: all is well, and then it is not."""

from __future__ import annotations

import json
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.conftest import count, need
from tests.live.service import Service
from tests.support.brokers import private_redis, redis_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.bakery import Bakery
    from tests.support.environments import Environment
    from tests.support.servers import Servers

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("doctor")]

QUEUES = "default:1, mail:1"
JOB = "tidy = every 1h"


@pytest.fixture
def service(
    request: pytest.FixtureRequest,
    bake: Bakery,
    installed: Callable[..., Environment],
    servers: Servers,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """Workers and beat of a project on this broker; its Redis is its own, since its settings are changed."""
    answers = {"broker": request.param, "queues": QUEUES, "beat_jobs": JOB}
    baked = bake(project_name="Patient", examples=False, result_backend="redis", **answers)
    project = baked.copy_to(tmp_path_factory.mktemp("doctor"))
    need(redis_server(), "redis-server")
    with private_redis(tmp_path_factory.mktemp("redis") / "data") as redis:
        variables = servers.variables(project) | {"CELERY_RESULT_BACKEND": redis.new_database()}
        if request.param == "redis":
            variables["CELERY_BROKER_URL"] = redis.new_database()
        with Service(project, installed(project), variables) as running:
            running.start_all()
            assert running.beat
            running.beat.wait_for_line("beat pidbox: Connected")
            yield running


def examine(service: Service, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """What the doctor prints."""
    command = ("python", "-m", "patient.doctor", *arguments)
    named = service.variables | variables
    return service.project.run(*command, environment=service.environment, variables=named, check=False)


def findings(service: Service, **variables: str) -> tuple[dict[str, str], int]:
    """What the doctor says of all that is not well, by the check, and its exit status."""
    ran = examine(service, "--json", **variables)
    assert ran.stderr == ""
    found = json.loads(ran.stdout)
    assert len(found) > 5
    return {each["check"]: each["what"] for each in found if each["status"] != "ok"}, ran.returncode


def redis_cli(url: str, *arguments: str) -> None:
    """Ask a Redis for something, and be sure that it did it."""
    ran = subprocess.run(["redis-cli", "-u", url, *arguments], check=True, capture_output=True, text=True)
    assert ran.stdout == "OK\n"


@pytest.mark.parametrize("service", ["redis"], indirect=True)
def test_a_redis_that_evicts_and_a_missing_worker_are_found(service: Service, request: pytest.FixtureRequest) -> None:
    count(request, "live")
    assert findings(service) == ({}, 0)

    redis_cli(service.variables["CELERY_BROKER_URL"], "config", "set", "maxmemory-policy", "allkeys-lru")
    service.workers["mail"].terminate()
    service.workers["mail"].wait()
    assert findings(service) == (
        {"eviction": "maxmemory-policy is allkeys-lru", "workers": "none answers that takes from mail"},
        1,
    )
    table = examine(service)
    assert table.returncode == 1
    assert "failure  eviction " in table.stdout
    assert "-> CONFIG SET maxmemory-policy noeviction" in table.stdout


@pytest.mark.parametrize("service", ["rabbitmq"], indirect=True)
def test_a_queue_that_is_not_as_declared_and_a_missing_beat_are_found(
    service: Service, request: pytest.FixtureRequest
) -> None:
    count(request, "live")
    assert findings(service) == ({}, 0)

    service.workers["mail"].terminate()
    service.workers["mail"].wait()
    assert service.beat
    service.beat.terminate()
    service.beat.wait()
    # Somebody has made it anew, by hand.
    service.ask(
        "from patient.celery_app import app\n"
        "with app.connection_for_write() as connection:\n"
        "    channel = connection.default_channel\n"
        "    channel.queue_delete('mail')\n"
        "    channel.queue_declare('mail', durable=True, auto_delete=False)\n"
        "answer = None"
    )
    found, status = findings(service)
    assert status == 1
    assert found.keys() == {"queues", "workers", "beat"}
    assert found["queues"].startswith("mail: PRECONDITION_FAILED - inequivalent arg 'x-")
    assert found["workers"] == "none answers that takes from mail"
    assert found["beat"] == "none answers, so no job is sent"


@pytest.mark.parametrize(
    ("service", "url"), [("redis", "redis://127.0.0.1:1/0"), ("rabbitmq", "amqp://127.0.0.1:1//")], indirect=["service"]
)
def test_a_broker_that_is_away_is_one_failure_within_seconds(service: Service, url: str) -> None:
    asked = time.monotonic()
    found, status = findings(service, CELERY_BROKER_URL=url)

    assert time.monotonic() - asked < 20  # to start Python takes most of it on a busy machine
    assert status == 1
    assert found.keys() == {"broker"}
    assert found["broker"].startswith("does not answer: ")
