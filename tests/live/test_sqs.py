"""On SQS: who may do what, who delays a task, and what an outage, a long task and a lost worker cost."""

from __future__ import annotations

import contextlib
import re
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


# It runs until a file exists, and prints that it does.
TASKS = """

@shared_task
def wait_for(path: str) -> None:
    import time
    from pathlib import Path

    count = 0
    while not Path(path).exists():
        print("tick", count, flush=True)
        count += 1
        time.sleep(0.5)
"""

VISIBILITY = 3
"""Seconds."""

TWO_TIMEOUTS = f"tick {VISIBILITY * 2 * 2 + 1}"
"""What that task prints when it has run for more than two visibility timeouts."""


@pytest.fixture(scope="module")
def project(bake: Bakery, tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """A project that notices silence and lost workers sooner than others do, so that a test can wait for it."""
    baked = bake(**ANSWERS, framework="fastapi", examples=False).copy_to(tmp_path_factory.mktemp("sqs"))
    for name, patient, quick in (
        ("celeryconfig.py", '"wait_time_seconds": 20', '"wait_time_seconds": 1'),
        ("celeryconfig.py", '"read_timeout": min(10,', '"read_timeout": min(2,'),
        ("sqs_transport.py", "curl.TIMEOUT, 30", "curl.TIMEOUT, 3"),
        ("sqs_transport.py", "MAX_LOCAL_DELAY = 5", "MAX_LOCAL_DELAY = 1"),
        ("sqs.py", "MAX_DELAY = 900", "MAX_DELAY = 2"),
        ("sqs.py", "VISIBILITY_TIMEOUT = 60", f"VISIBILITY_TIMEOUT = {VISIBILITY}"),
    ):
        written = (baked.package / name).read_text(encoding="utf-8")
        assert patient in written
        (baked.package / name).write_text(written.replace(patient, quick), encoding="utf-8")
    template = baked.path / "deploy" / "aws" / "queues.yaml"
    quick = re.sub(r"(VisibilityTimeout): \d+", rf"\1: {VISIBILITY}", template.read_text(encoding="utf-8"))
    template.write_text(quick.replace("maxReceiveCount: 10", "maxReceiveCount: 3"), encoding="utf-8")
    with (baked.package / "tasks" / "emails.py").open("a", encoding="utf-8") as module:
        module.write(TASKS)
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

            receive = "channel.sqs(queue='emails').receive_message(QueueUrl=get_queue_url('emails'){})"
            program = (
                "from cloud.celery_app import app\nfrom cloud.dead_letter_store import get_queue_url\n"
                "channel = app.connection_for_write().default_channel\nanswer = bool({})"
            )
            with pytest.raises(AssertionError, match="403"):
                service.ask(program.format(receive.format("")))
            dead = receive.replace("get_queue_url('emails')", "get_queue_url('emails') + '-DLQ'").format("")
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


def test_a_delay_longer_than_sqs_knows_costs_no_delivery_and_no_retry(service: Service, sqs: Sqs) -> None:
    service.start_worker("emails")
    send(service, "emails", countdown=5000)
    started = time.monotonic()
    # Four receives, each a new message: a message that was received more than three times would be a dead letter.
    task_id = send(service, "emails", countdown=8)
    service.workers["emails"].wait_for_line(task_id)
    assert time.monotonic() - started > 6, "a worker held the task"
    ran(service, "emails", task_id)
    service.workers["emails"].wait_for_line(lambda line: task_id in line and "retries=0" in line)

    # The task of the first delay makes hops still; a moment is between its next message and the deletion of this one.
    url = f"{service.variables['SQS_QUEUE_URL_PREFIX']}emails"
    names = ("", "Delayed", "NotVisible")
    attributes = sqs.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert sum(int(attributes[f"ApproximateNumberOfMessages{name}"]) for name in names) in {1, 2}
    assert "Messages" not in sqs.client("sqs").receive_message(QueueUrl=f"{url}-DLQ")


def wait_for_file(service: Service, queue: str, path: Path) -> None:
    """Start a task that runs until a file exists, on the only worker of its queue."""
    service.ask(
        f"from cloud.tasks.emails import wait_for\nanswer = wait_for.apply_async(({str(path)!r},), queue={queue!r}).id"
    )
    service.workers[queue].wait_for_line("tick 0")


def test_a_task_longer_than_the_visibility_runs_once_until_its_worker_is_killed(
    service: Service, tmp_path: Path
) -> None:
    queues = ("emails", "crawl")
    service.start_workers(*queues)
    for queue in queues:
        wait_for_file(service, queue, tmp_path / "done")
    lost = dict(service.workers)
    service.start_workers(*queues)
    for queue in queues:
        lost[queue].wait_for_line(TWO_TIMEOUTS)
        # Neither the other process or greenlet of the worker nor the other worker has started it.
        assert "tick 0" not in service.workers[queue].output
        assert lost[queue].lines.count("tick 0") == 1
    for queue in queues:
        lost[queue].kill()
    for queue in queues:
        # moto may first deliver it to the request that the killed worker had open.
        service.workers[queue].wait_for_line("tick 0", timeout=2 * VISIBILITY + 14)
    (tmp_path / "done").touch()
    for queue in queues:
        ran(service, queue, "")


def test_a_stopping_worker_keeps_its_task(service: Service, tmp_path: Path) -> None:
    stopping = service.start_worker("emails")
    wait_for_file(service, "emails", tmp_path / "done")
    stopping.terminate()
    other = service.start_worker("emails")
    stopping.wait_for_line(TWO_TIMEOUTS)
    (tmp_path / "done").touch()
    assert stopping.wait(30) == 0
    assert "tick" not in other.output


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
            complaint = "SQS unreachable" if queue == "emails" else "Read timeout"
        else:
            gate.refuse()
            complaint = "SQS unreachable" if queue == "emails" else "Cannot connect"
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
