"""The doctor on real brokers, before and after a fault."""

from __future__ import annotations

import re
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.conftest import count, require_program
from tests.live.service import Service
from tests.support.brokers import find_redis_server, run_redis

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
    install_project: Callable[..., Environment],
    servers: Servers,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """Run workers and beat on a broker, with a separate Redis, whose settings the tests change."""
    answers = {"broker": request.param, "queues": QUEUES, "beat_jobs": JOB}
    baked = bake(project_name="Patient", examples=False, result_backend="redis", **answers)
    project = baked.copy_to(tmp_path_factory.mktemp("doctor"))
    require_program(find_redis_server(), "redis-server")
    with run_redis(tmp_path_factory.mktemp("redis") / "data") as redis_server:
        variables = servers.variables(project) | {"CELERY_RESULT_BACKEND": redis_server.new_database()}
        if request.param == "redis":
            variables["CELERY_BROKER_URL"] = redis_server.new_database()
        with Service(project, install_project(project), variables) as running:
            running.start_all()
            assert running.beat
            running.beat.wait_for_line("beat pidbox: Connected")
            yield running


def diagnose(service: Service, **variables: str) -> tuple[str, int]:
    """Return the output of the doctor, with single spaces, and its exit status."""
    completed = service.diagnose(**variables)
    assert completed.stderr == ""
    return re.sub(" +", " ", completed.stdout), completed.returncode


@pytest.mark.parametrize("service", ["redis", "rabbitmq"], indirect=True)
def test_a_second_beat_is_reported(service: Service, request: pytest.FixtureRequest) -> None:
    count(request, "live")
    printed, status = diagnose(service)
    assert status == 0, printed

    service.start_beat("another").wait_for_line("beat pidbox: Connected")
    printed, status = diagnose(service)

    assert status == 1
    assert "\nbeat failure several beat instances run: celerybeat-" in printed


@pytest.mark.parametrize("service", ["redis"], indirect=True)
def test_a_redis_that_evicts_is_reported(service: Service, request: pytest.FixtureRequest) -> None:
    count(request, "live")
    setting = ["config", "set", "maxmemory-policy", "allkeys-lru"]
    url = service.variables["CELERY_BROKER_URL"]
    subprocess.run(["redis-cli", "-u", url, *setting], check=True, capture_output=True)

    printed, status = diagnose(service)

    assert status == 1
    assert "\nbroker: eviction failure maxmemory-policy is allkeys-lru" in printed


@pytest.mark.parametrize("service", ["redis"], indirect=True)
def test_the_largest_use_of_redis_memory_is_reported(service: Service) -> None:
    url = service.variables["CELERY_BROKER_URL"]
    redis_cli = ["redis-cli", "-u", url]
    subprocess.run([*redis_cli, "config", "set", "maxmemory", "32mb"], check=True, capture_output=True)
    fill = "for number = 1, 20 do redis.call('HSET', KEYS[1], number, string.rep('x', 1048576)) end"
    subprocess.run([*redis_cli, "eval", fill, "1", "patient:dead_letters"], check=True, capture_output=True)

    printed, status = diagnose(service)

    assert status == 1
    assert "\nbroker: memory failure dead letters: " in printed
    assert "more than 10 %: replay or discard them" in printed
    assert "workers" not in printed


@pytest.mark.parametrize("service", ["rabbitmq"], indirect=True)
def test_unreadable_settings_of_rabbitmq_are_unknown_and_other_arguments_are_reported(service: Service) -> None:
    printed, status = diagnose(service)
    assert status == 0
    assert "applies only its own consumer_timeout" in printed or "policies are not checked" in printed

    service.run_python(
        "from patient.celery_app import app\n"
        "from kombu import Queue\n"
        "with app.connection_for_write() as connection:\n"
        "    channel = connection.default_channel\n"
        "    channel.queue_delete('dead_letters')\n"
        "    arguments = {'x-queue-type': 'quorum', 'x-delivery-limit': 1_000_000, 'x-max-length': 5}\n"
        "    answer = Queue('dead_letters', queue_arguments=arguments)(channel).declare()"
    )
    printed, status = diagnose(service)
    assert status == 1
    assert "\nbroker: arguments failure " in printed
    assert "inequivalent arg 'x-m" in printed


@pytest.mark.parametrize(
    ("service", "url"), [("redis", "redis://127.0.0.1:1/0"), ("rabbitmq", "amqp://127.0.0.1:1//")], indirect=["service"]
)
def test_an_unreachable_broker_is_one_failure_within_seconds(service: Service, url: str) -> None:
    started = time.monotonic()
    printed, status = diagnose(service, CELERY_BROKER_URL=url)

    assert time.monotonic() - started < 20  # mostly the start of Python on a busy machine
    assert status == 1
    assert printed.count("failure") == 1
    assert "\nbroker failure OperationalError: " in printed
