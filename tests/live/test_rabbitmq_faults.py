"""Recovery of workers and publishers from faults of the connection to RabbitMQ."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.conftest import count
from tests.live.service import START_TIMEOUT, Service
from tests.support.proxy import Proxy, get_port, route_through

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.bakery import Bakery
    from tests.support.brokers import RabbitMQ
    from tests.support.environments import Environment
    from tests.support.project import BakedProject

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("rabbitmq-faults")]

TASKS = """

@shared_task
def nap(seconds: float) -> None:
    import time

    import structlog

    structlog.get_logger(__name__).info("nap started")
    time.sleep(seconds)
"""
SEND = "from faults.tasks.default import nap\nanswer = [nap.delay({seconds}).id for _ in range({number})]"

# A publisher that prints its confirmed messages.
PUBLISH = """
import time

from faults.tasks.default import nap

confirmed = 0
while True:
    try:
        nap.delay(0)
        confirmed += 1
        print("confirmed", confirmed, flush=True)
    except Exception as error:
        print(type(error).__name__, error, flush=True)
    time.sleep(0.1)
"""


@pytest.fixture(scope="module")
def project(bake: Bakery, tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """Return a project with short timeouts."""
    answers = {"broker": "rabbitmq", "result_backend": "none", "queues": "default:2, io:2@threads", "beat_jobs": ""}
    baked = bake(project_name="Faults", examples=False, **answers).copy_to(tmp_path_factory.mktemp("faults"))
    baked.append("tasks/default.py", TASKS)
    for name, setting, seconds in (
        ("celeryconfig.py", "broker_heartbeat", "4"),
        ("rabbitmq_transport.py", "REPLY_TIMEOUT", "2.0"),
    ):
        file = baked.package / name
        if file.exists():
            text = re.sub(rf"^{setting} = [0-9.]+", f"{setting} = {seconds}", file.read_text(), flags=re.MULTILINE)
            file.write_text(text, encoding="utf-8")
    return baked


@pytest.fixture
def url(rabbitmq_server: RabbitMQ) -> str:
    """Return the URL of an unused virtual host."""
    return rabbitmq_server.new_vhost()


@pytest.fixture
def proxy(url: str) -> Iterator[Proxy]:
    """Run a proxy between the worker and RabbitMQ."""
    with Proxy(get_port(url)) as proxy:
        yield proxy


@pytest.fixture
def service(project: BakedProject, environment: Environment, url: str, proxy: Proxy) -> Iterator[Service]:
    """Run a worker that connects through the proxy. Publishers connect directly."""
    variables = {"CELERY_BROKER_URL": url, "LOG_FORMAT": "console"}
    with Service(project, environment, variables) as running:
        running.variables = variables | {"CELERY_BROKER_URL": route_through(proxy, url)}
        running.start_worker("default")
        running.variables = variables
        yield running


def wait_for_success(service: Service, tasks: list[str], timeout: float) -> None:
    """Wait until the worker has completed these tasks."""
    for task_id in tasks:
        service.workers["default"].wait_for_line(
            lambda line, task_id=task_id: task_id in line and "succeeded" in line,  # type: ignore[misc]
            timeout,
        )


def test_a_worker_recovers_from_a_half_open_connection_within_seconds(
    service: Service, proxy: Proxy, request: pytest.FixtureRequest
) -> None:
    count(request, "live")

    proxy.reset_clients()

    wait_for_success(service, service.run_python(SEND.format(seconds=0, number=2)), 30)
    assert service.workers["default"].popen.poll() is None


def test_a_silent_peer_does_not_hang_the_worker(service: Service, proxy: Proxy) -> None:
    proxy.pause()
    service.workers["default"].wait_for_line("Connection to broker lost", 40)
    proxy.restore()

    wait_for_success(service, service.run_python(SEND.format(seconds=0, number=2)), START_TIMEOUT)
    assert service.workers["default"].popen.poll() is None


def test_a_publisher_detects_a_silent_peer_and_recovers(service: Service, proxy: Proxy) -> None:
    variables = {"CELERY_BROKER_URL": route_through(proxy, service.variables["CELERY_BROKER_URL"])}
    publisher = service.start(["python", "-c", PUBLISH], "publisher", **variables, CELERY_PUBLISH_TIMEOUT="1")
    publisher.wait_for_line("confirmed 1")

    proxy.pause()
    publisher.wait_for_line("OperationalError RabbitMQ did not confirm a message within 5 s")
    proxy.restore()

    confirmed = publisher.output.count("confirmed")
    publisher.wait_for_line(f"confirmed {confirmed + 1}")


def test_a_worker_drains_its_queue_during_a_memory_alarm(service: Service, rabbitmq_server: RabbitMQ) -> None:
    tasks = service.run_python(SEND.format(seconds=0.5, number=32))  # 8 s for two processes: four heartbeats

    with rabbitmq_server.memory_alarm():
        wait_for_success(service, tasks, 40)


@pytest.mark.parametrize("queue", ["default", "io"], ids=["prefork", "threads"])
def test_a_stop_longer_than_the_heartbeats_acknowledges_its_tasks(service: Service, queue: str) -> None:
    stopping = service.workers.get(queue) or service.start_worker(queue)
    task = service.run_python(
        f"from faults.tasks.default import nap\nanswer = nap.apply_async((14,), queue={queue!r}).id"
    )
    stopping.wait_for_line(lambda line: task in line and "nap started" in line)
    stopping.terminate()
    assert stopping.wait(30) == 0

    service.start_worker(queue)
    after = service.run_python(
        f"from faults.tasks.default import nap\nanswer = nap.apply_async((0,), queue={queue!r}).id"
    )
    service.workers[queue].wait_for_line(lambda line: after in line and "succeeded" in line)
    assert task not in service.workers[queue].output


def test_tasks_with_any_delay_run_on_a_new_virtual_host(
    project: BakedProject, environment: Environment, rabbitmq_server: RabbitMQ
) -> None:
    variables = {"CELERY_BROKER_URL": rabbitmq_server.new_vhost(), "LOG_FORMAT": "console"}
    with Service(project, environment, variables) as service:
        tasks = service.run_python(
            "from datetime import timedelta\n"
            "from faults.celery_app import app\n"
            "from faults.tasks.default import nap\n"
            "soon = app.now() + timedelta(seconds=0.9)\n"
            "answer = [\n"
            "    nap.apply_async((0,), countdown=2).id,\n"
            "    nap.apply_async((0,), countdown=0.5).id,\n"
            "    nap.apply_async((0,), eta=soon).id,\n"
            "    app.send_task(nap.name, (0,), countdown=0.1).id,\n"
            "]"
        )
        service.start_worker("default")
        wait_for_success(service, tasks, 30)
