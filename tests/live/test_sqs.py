"""SQS: policies, delays, outages, long tasks and lost workers."""

from __future__ import annotations

import contextlib
import re
import time
from typing import TYPE_CHECKING

import pytest

from tests.conftest import count
from tests.live.api import start_api
from tests.live.service import Service
from tests.support.aws import run_sqs
from tests.support.proxy import Proxy, get_port
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


# A task that runs until a file exists.
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


@shared_task
def measure_cpu_time(pid: int) -> None:
    import os
    import time
    from pathlib import Path

    def get_cpu_time() -> float:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return sum(map(int, fields[11:13])) / os.sysconf("SC_CLK_TCK")

    started = get_cpu_time()
    time.sleep(4)
    print("CPU time", get_cpu_time() - started, flush=True)
"""

VISIBILITY = 3
"""Seconds."""

TWO_TIMEOUTS = f"tick {VISIBILITY * 2 * 2 + 1}"
"""The output of the task after more than two visibility timeouts."""


@pytest.fixture(scope="module")
def project(bake: Bakery, tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """Return a project with short timeouts."""
    baked = bake(**ANSWERS, framework="fastapi", examples=False).copy_to(tmp_path_factory.mktemp("sqs"))
    for module, old, new in (
        ("celeryconfig.py", '"wait_time_seconds": 20', '"wait_time_seconds": 1'),
        ("celeryconfig.py", '"read_timeout": min(10,', '"read_timeout": min(2,'),
        ("sqs_transport.py", "curl.TIMEOUT, 30", "curl.TIMEOUT, 3"),
        ("sqs_transport.py", "MAX_LOCAL_DELAY = 5", "MAX_LOCAL_DELAY = 1"),
        ("sqs.py", "MAX_DELAY = 900", "MAX_DELAY = 2"),
        ("sqs.py", "VISIBILITY_TIMEOUT = 60", f"VISIBILITY_TIMEOUT = {VISIBILITY}"),
    ):
        baked.replace(module, old, new)
    template = baked.path / "deploy" / "aws" / "queues.yaml"
    text = re.sub(r"(VisibilityTimeout): \d+", rf"\1: {VISIBILITY}", template.read_text(encoding="utf-8"))
    template.write_text(text.replace("maxReceiveCount: 10", "maxReceiveCount: 3"), encoding="utf-8")
    baked.append("tasks/emails.py", TASKS)
    return baked


@pytest.fixture
def service(project: BakedProject, environment: Environment, servers: Servers) -> Iterator[Service]:
    """Return a service with unused queues, without processes."""
    with Service(project, environment, servers.variables(project)) as service:
        yield service


def send(service: Service, queue: str, **options: float) -> str:
    """Publish a task. Return its id."""
    task_id: str = service.run_python(f"{PING}\nanswer = ping.apply_async(queue={queue!r}, **{options}).id")
    return task_id


def wait_for_success(service: Service, queue: str, task_id: str, timeout: float = 30) -> None:
    """Wait until a task has succeeded."""
    service.workers[queue].wait_for_line(lambda line: task_id in line and "succeeded" in line, timeout)


def test_the_policies_suffice_and_allow_nothing_else(
    project: BakedProject, environment: Environment, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    count(request, "live")
    with run_sqs(tmp_path / "moto") as sqs_server:
        deployed = sqs_server.deploy(Servers.read_template(project))
        credentials = {
            name: deployed.create_credentials(f"{name}Policy") for name in ("Worker", "Publisher", "Operator")
        }
        sqs_server.enforce_policies()
        variables = {**deployed.variables, "LOG_FORMAT": "console"}
        with Service(project, environment, variables | credentials["Worker"]) as service:
            service.start_workers("emails", "crawl")
            service.variables.update(credentials["Publisher"])
            for queue in ("emails", "crawl"):
                wait_for_success(service, queue, send(service, queue))

            receive = "channel.sqs(queue='emails').receive_message(QueueUrl=get_queue_url('emails'){})"
            program = (
                "from cloud.celery_app import app\nfrom cloud.dead_letter_store import get_queue_url\n"
                "channel = app.connection_for_write().default_channel\nanswer = bool({})"
            )
            with pytest.raises(AssertionError, match="403"):
                service.run_python(program.format(receive.format("")))
            dead_letters = receive.replace("get_queue_url('emails')", "get_queue_url('emails') + '-DLQ'")
            with pytest.raises(AssertionError, match="403"):
                service.run_python(program.format(dead_letters.format("")))


def test_sqs_holds_a_task_until_it_is_due(service: Service, sqs_server: Sqs) -> None:
    service.start_worker("emails")
    started = time.monotonic()
    task_id = send(service, "emails", countdown=5)

    attributes = sqs_server.client("sqs").get_queue_attributes(
        QueueUrl=f"{service.variables['SQS_QUEUE_URL_PREFIX']}emails", AttributeNames=["All"]
    )["Attributes"]
    assert attributes["ApproximateNumberOfMessagesDelayed"] == "1"
    assert task_id not in service.workers["emails"].output
    wait_for_success(service, "emails", task_id)
    assert time.monotonic() - started > 4


def test_a_delay_beyond_the_maximum_of_sqs_costs_no_delivery_and_no_retry(service: Service, sqs_server: Sqs) -> None:
    service.start_worker("emails")
    send(service, "emails", countdown=5000)
    started = time.monotonic()
    # Four hops, each with a new message: a message that is received more than three times is a dead letter.
    task_id = send(service, "emails", countdown=8)
    service.workers["emails"].wait_for_line(task_id)
    assert time.monotonic() - started > 6, "a worker held the task"
    wait_for_success(service, "emails", task_id)
    service.workers["emails"].wait_for_line(lambda line: task_id in line and "retries=0" in line)

    # The first task still makes hops: its next message is published shortly before the current one is deleted.
    url = f"{service.variables['SQS_QUEUE_URL_PREFIX']}emails"
    names = ("", "Delayed", "NotVisible")
    attributes = sqs_server.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert sum(int(attributes[f"ApproximateNumberOfMessages{name}"]) for name in names) in {1, 2}
    assert "Messages" not in sqs_server.client("sqs").receive_message(QueueUrl=f"{url}-DLQ")


def start_long_task(service: Service, queue: str, path: Path) -> None:
    """Start a task that runs until a file exists, on the only worker of a queue."""
    service.run_python(
        f"from cloud.tasks.emails import wait_for\nanswer = wait_for.apply_async(({str(path)!r},), queue={queue!r}).id"
    )
    service.workers[queue].wait_for_line("tick 0")


def test_a_task_longer_than_the_visibility_timeout_runs_once_until_its_worker_is_killed(
    service: Service, tmp_path: Path
) -> None:
    queues = ("emails", "crawl")
    service.start_workers(*queues)
    for queue in queues:
        start_long_task(service, queue, tmp_path / "done")
    lost = dict(service.workers)
    service.start_workers(*queues)
    for queue in queues:
        lost[queue].wait_for_line(TWO_TIMEOUTS)
        # No other process, greenlet or worker has started it.
        assert "tick 0" not in service.workers[queue].output
        assert lost[queue].lines.count("tick 0") == 1
    for queue in queues:
        lost[queue].kill()
    for queue in queues:
        # moto may first deliver it to the open request of the killed worker.
        service.workers[queue].wait_for_line("tick 0", timeout=2 * VISIBILITY + 14)
    (tmp_path / "done").touch()
    for queue in queues:
        wait_for_success(service, queue, "")


def test_a_stopping_worker_keeps_its_task(service: Service, tmp_path: Path) -> None:
    stopping = service.start_worker("emails")
    start_long_task(service, "emails", tmp_path / "done")
    stopping.terminate()
    other = service.start_worker("emails")
    stopping.wait_for_line(TWO_TIMEOUTS)
    (tmp_path / "done").touch()
    assert stopping.wait(30) == 0
    assert "tick" not in other.output


@pytest.mark.parametrize("queue", ["emails", "crawl"], ids=["prefork", "gevent"])
def test_a_worker_uses_no_cpu_time_while_all_its_tasks_wait(service: Service, queue: str) -> None:
    worker = service.start_worker(queue)
    call = f"measure_cpu_time.apply_async(({worker.popen.pid},), queue={queue!r}).id"
    # As many as it runs at a time.
    service.run_python(f"from cloud.tasks.emails import measure_cpu_time\nanswer = [{call} for _ in range(2)]")
    seconds = float(worker.wait_for_line("CPU time").split()[-1])

    assert seconds < 0.5, seconds  # of 4


@pytest.mark.parametrize("queue", ["emails", "crawl"], ids=["prefork", "gevent"])
@pytest.mark.parametrize("outage", ["silent", "refused"])
def test_a_worker_survives_an_outage(service: Service, queue: str, outage: str) -> None:
    direct = service.variables["AWS_ENDPOINT_URL_SQS"]
    with contextlib.ExitStack() as stack:
        proxy = stack.enter_context(Proxy(get_port(direct)))
        service.variables["AWS_ENDPOINT_URL_SQS"] = f"http://127.0.0.1:{proxy.port}"
        worker = service.start_worker(queue)
        if outage == "silent":
            proxy.pause()
            message = "SQS unreachable" if queue == "emails" else "Read timeout"
        else:
            proxy.refuse()
            message = "SQS unreachable" if queue == "emails" else "Cannot connect"
        worker.wait_for_line(message, timeout=60)
        # Published after the outage, because a message in transit would be lost to the worker.
        proxy.restore()
        service.variables["AWS_ENDPOINT_URL_SQS"] = direct
        wait_for_success(service, queue, send(service, queue), timeout=60)
        assert worker.popen.poll() is None
        assert service.check_health(queue) == ""
        worker.terminate()
        assert worker.wait(30) == 0


def test_a_publish_is_retried_during_an_outage_until_its_timeout(service: Service, sqs_server: Sqs) -> None:
    direct = service.variables["AWS_ENDPOINT_URL_SQS"]
    with Proxy(get_port(direct)) as proxy:
        service.variables["AWS_ENDPOINT_URL_SQS"] = f"http://127.0.0.1:{proxy.port}"
        proxy.refuse()
        service.variables["CELERY_PUBLISH_TIMEOUT"] = "1"
        started = time.monotonic()
        with pytest.raises(AssertionError, match="OperationalError"):
            send(service, "emails")
        assert time.monotonic() - started < 15

        while proxy.refused.acquire(blocking=False):
            pass  # of the previous publisher
        service.variables["CELERY_PUBLISH_TIMEOUT"] = "60"
        publisher = service.start(["python", "-c", f"{PING}\nping.delay()"], "publisher")
        # Groups of three attempts.
        assert all(proxy.refused.acquire(timeout=30) for _ in range(8))
        proxy.restore()
        assert publisher.wait(30) == 0
    url = f"{service.variables['SQS_QUEUE_URL_PREFIX']}emails"
    assert sqs_server.client("sqs").receive_message(QueueUrl=url)["Messages"]


def test_the_api_is_ready_without_workers_and_returns_503_without_sqs(service: Service) -> None:
    direct = service.variables["AWS_ENDPOINT_URL_SQS"]
    with Proxy(get_port(direct)) as proxy:
        service.variables["AWS_ENDPOINT_URL_SQS"] = f"http://127.0.0.1:{proxy.port}"
        api = start_api(service)
        assert api.request("GET", "/health/ready").status == 200
        api.submit("cloud.tasks.emails.ping")

        proxy.pause()
        response = api.request("POST", "/tasks", {"task": "cloud.tasks.emails.ping", "arguments": {}})
        assert (response.status, "Retry-After" in response.headers) == (503, True)
        assert response.seconds < 2.5
