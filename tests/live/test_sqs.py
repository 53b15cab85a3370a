"""On SQS: who may do what, who delays a task, and what an outage costs."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

import pytest

from tests.conftest import count
from tests.live.api import start_api
from tests.live.service import Service
from tests.support.aws import private_sqs
from tests.support.gate import Gate, port_of
from tests.support.servers import Servers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.aws import Sqs
    from tests.support.bakery import Bakery
    from tests.support.environments import Environment
    from tests.support.project import BakedProject

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("sqs")]

PING = "from cloud.tasks.emails import ping"
ANSWERS = {
    "project_name": "Cloud",
    "broker": "sqs",
    "result_backend": "none",
    "queues": "emails:2, crawl:2@gevent",
    "beat_jobs": "",
}


@pytest.fixture(scope="module")
def project(bake: Bakery, tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """A project that notices silence sooner than others do, so that a test can wait for it."""
    baked = bake(**ANSWERS, framework="fastapi", examples=False).copy_to(tmp_path_factory.mktemp("sqs"))
    for name, patient, quick in (
        ("celeryconfig.py", '"wait_time_seconds": 20', '"wait_time_seconds": 1'),
        ("celeryconfig.py", '"read_timeout": min(10,', '"read_timeout": min(2,'),
        ("sqs_transport.py", "curl.TIMEOUT, 30", "curl.TIMEOUT, 3"),
    ):
        written = (baked.package / name).read_text(encoding="utf-8")
        assert patient in written
        (baked.package / name).write_text(written.replace(patient, quick), encoding="utf-8")
    return baked


@pytest.fixture
def service(project: BakedProject, environment: Environment, servers: Servers) -> Iterator[Service]:
    """The project with queues of its own; nothing runs yet."""
    with Service(project, environment, servers.variables(project)) as waiting:
        yield waiting


def send(service: Service, queue: str, **options: float) -> str:
    """Send a task, and return its id."""
    task_id: str = service.ask(f"{PING}\nanswer = ping.apply_async(queue={queue!r}, **{options}).id")
    return task_id


def ran(service: Service, queue: str, task_id: str, timeout: float = 30) -> None:
    """Wait until a task has run."""
    service.workers[queue].wait_for_line(lambda line: task_id in line and "succeeded" in line, timeout)


def test_the_policies_suffice_and_allow_nothing_else(
    project: BakedProject, environment: Environment, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    count(request, "live")
    with private_sqs(tmp_path / "moto") as sqs:
        deployed = sqs.deploy(Servers.template(project))
        who = {name: deployed.credentials_with(f"{name}Policy") for name in ("Worker", "Publisher", "Operator")}
        sqs.enforce_policies()
        variables = {**deployed.variables, "LOG_FORMAT": "console"}
        with Service(project, environment, variables | who["Worker"]) as service:
            service.start_workers("emails", "crawl")
            service.variables.update(who["Publisher"])
            for queue in ("emails", "crawl"):
                ran(service, queue, send(service, queue))

            receive = "channel.sqs(queue='emails').receive_message(QueueUrl=url_of('emails'){})"
            program = (
                "from cloud.celery_app import app\nfrom cloud.dead_letter_store import url_of\n"
                "channel = app.connection_for_write().default_channel\nanswer = bool({})"
            )
            with pytest.raises(AssertionError, match="403"):
                service.ask(program.format(receive.format("")))
            dead = receive.replace("url_of('emails')", "url_of('emails') + '-DLQ'").format("")
            with pytest.raises(AssertionError, match="403"):
                service.ask(program.format(dead))


def test_sqs_keeps_a_task_that_is_not_due(service: Service, sqs: Sqs) -> None:
    service.start_worker("emails")
    started = time.monotonic()
    task_id = send(service, "emails", countdown=5)

    attributes = sqs.client("sqs").get_queue_attributes(
        QueueUrl=f"{service.variables['SQS_QUEUE_URL_PREFIX']}emails", AttributeNames=["All"]
    )["Attributes"]
    assert attributes["ApproximateNumberOfMessagesDelayed"] == "1"
    assert task_id not in service.workers["emails"].output
    ran(service, "emails", task_id)
    assert time.monotonic() - started > 4


@pytest.mark.parametrize("queue", ["emails", "crawl"], ids=["prefork", "gevent"])
@pytest.mark.parametrize("outage", ["silent", "refused"])
def test_a_worker_outlasts_an_outage(service: Service, queue: str, outage: str) -> None:
    direct = service.variables["AWS_ENDPOINT_URL_SQS"]
    with contextlib.ExitStack() as stack:
        gate = stack.enter_context(Gate(port_of(direct)))
        service.variables["AWS_ENDPOINT_URL_SQS"] = f"http://127.0.0.1:{gate.port}"
        worker = service.start_worker(queue)
        if outage == "silent":
            gate.shut()
            complaint = "does not answer" if queue == "emails" else "Read timeout"
        else:
            gate.refuse()
            complaint = "does not answer" if queue == "emails" else "Cannot connect"
        worker.wait_for_line(complaint, timeout=60)
        # What was on its way in the outage is lost to the worker, so this is sent when nothing is.
        gate.restore()
        service.variables["AWS_ENDPOINT_URL_SQS"] = direct
        ran(service, queue, send(service, queue), timeout=60)
        assert worker.popen.poll() is None
        assert service.health(queue) == ""
        worker.terminate()
        assert worker.wait(30) == 0


def test_a_publish_outlasts_an_outage_and_gives_up_in_time(service: Service, sqs: Sqs) -> None:
    direct = service.variables["AWS_ENDPOINT_URL_SQS"]
    with Gate(port_of(direct)) as gate:
        service.variables["AWS_ENDPOINT_URL_SQS"] = f"http://127.0.0.1:{gate.port}"
        gate.refuse()
        service.variables["CELERY_PUBLISH_TIMEOUT"] = "1"
        started = time.monotonic()
        with pytest.raises(AssertionError, match="OperationalError"):
            send(service, "emails")
        assert time.monotonic() - started < 15

        while gate.refused.acquire(blocking=False):
            pass  # those of before
        service.variables["CELERY_PUBLISH_TIMEOUT"] = "60"
        publisher = service.start(["python", "-c", f"{PING}\nping.delay()"], "publisher")
        # It tries three times in a row, and then again and again.
        assert all(gate.refused.acquire(timeout=30) for _ in range(8))
        gate.restore()
        assert publisher.wait(30) == 0
    url = f"{service.variables['SQS_QUEUE_URL_PREFIX']}emails"
    assert sqs.client("sqs").receive_message(QueueUrl=url)["Messages"]


def test_the_api_is_ready_without_asking_workers_and_503_without_sqs(service: Service) -> None:
    direct = service.variables["AWS_ENDPOINT_URL_SQS"]
    with Gate(port_of(direct)) as gate:
        service.variables["AWS_ENDPOINT_URL_SQS"] = f"http://127.0.0.1:{gate.port}"
        api = start_api(service)
        assert api.ask("GET", "/health/ready").status == 200
        api.submit("cloud.tasks.emails.ping")

        gate.shut()
        refused = api.ask("POST", "/tasks", {"task": "cloud.tasks.emails.ping", "arguments": {}})
        assert (refused.status, "Retry-After" in refused.headers) == (503, True)
        assert refused.seconds < 2.5
