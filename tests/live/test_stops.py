"""Stops of workers that drain a long queue: they exit after their running tasks, and no task runs twice."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.conftest import count
from tests.live.service import START_TIMEOUT, Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.bakery import Bakery
    from tests.support.environments import Environment
    from tests.support.processes import Process
    from tests.support.project import BakedProject
    from tests.support.servers import Servers

pytestmark = pytest.mark.slow

ROUNDS = {"prefork": 4, "threads": 4, "gevent": 2}
"""Number of stops per pool. Celery's consumer takes 30 s and runs tasks twice in every second stop."""

WORKERS = 5
"""Number of workers that drain the queue and are stopped in parallel."""

TASKS = 400
"""Number of tasks per round."""

STOP_TIMEOUT = 12.0
"""Seconds, on a busy machine. A pool process takes one to exit."""

MODULE = '''"""Tasks of the test."""

from celery import shared_task


@shared_task
def record(number: int, padding: str = "") -> None:
    """Append the number to a file in one write, so that processes may share it."""
    with open({file!r}, "a", encoding="utf-8") as file:
        file.write(f"{{number}}\\n")
'''
SEND = """
from stops.tasks.{queue} import record

for number in range({first}, {last}):
    record.delay(number, "x" * {padding})
answer = None
"""


@pytest.fixture(
    scope="module",
    params=[pytest.param(broker, marks=pytest.mark.xdist_group(f"stops-{broker}")) for broker in ("redis", "rabbitmq")],
)
def project(request: pytest.FixtureRequest, bake: Bakery, tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """Return a project with a queue per pool, whose tasks record their runs."""
    answers = {"broker": request.param, "result_backend": "none", "beat_jobs": "", "examples": False}
    queues = "prefork:2, threads:2@threads, gevent:2@gevent"
    folder = tmp_path_factory.mktemp("stops")
    baked = bake(project_name="Stops", queues=queues, **answers).copy_to(folder)
    for queue in ROUNDS:
        module = MODULE.format(file=str(folder / queue))
        (baked.package / "tasks" / f"{queue}.py").write_text(module, encoding="utf-8")
    return baked


class StopService(Service):
    """A service with several workers per queue."""

    def count_runs(self, queue: str) -> Counter[str]:
        """Return the number of runs of each task of a queue."""
        file = self.project.path.parent / queue
        return Counter(file.read_text(encoding="utf-8").split() if file.exists() else [])

    def wait_for_runs(self, queue: str, number: int) -> None:
        """Wait until a number of tasks of a queue ran."""
        self.wait_until(lambda: self.count_runs(queue).total() >= number, START_TIMEOUT, interval=0.02)

    def stop_workers(self, workers: list[Process]) -> None:
        """Stop workers like a supervisor."""
        started = time.monotonic()
        for worker in workers:
            worker.terminate()
        for worker in workers:
            assert worker.wait(60) == 0
        seconds = time.monotonic() - started
        assert seconds < STOP_TIMEOUT
        if (url := self.variables["CELERY_BROKER_URL"]).startswith("redis"):
            unacknowledged = subprocess.run(
                ["redis-cli", "-u", url, "hkeys", "unacked"], check=True, capture_output=True
            )
            assert unacknowledged.stdout.strip() == b""


@pytest.fixture
def service(project: BakedProject, environment: Environment, servers: Servers) -> Iterator[StopService]:
    """Return a service on an unused database or virtual host, without processes."""
    with StopService(project, environment, servers.variables(project) | {"LOG_FORMAT": "console"}) as running:
        yield running


@pytest.mark.parametrize("pool", ROUNDS)
def test_stops_of_busy_workers_are_quick_and_run_no_task_twice(
    service: StopService, pool: str, request: pytest.FixtureRequest
) -> None:
    tasks = 0
    for _ in range(ROUNDS[pool]):
        workers = service.start_instances(pool, WORKERS)
        enough = service.count_runs(pool).total() + TASKS // 4
        send = SEND.format(queue=pool, first=tasks, last=tasks + TASKS, padding=0)
        sender = service.start(["python", "-c", send], "sender")
        tasks += TASKS
        service.wait_for_runs(pool, enough)
        service.stop_workers(workers)
        assert sender.wait() == 0
        count(request, "live")
    assert service.count_runs(pool).total() < tasks, "the workers were not busy when they stopped"

    service.start_instances(pool, 2)
    service.wait_for_runs(pool, tasks)
    assert service.count_runs(pool) == Counter(map(str, range(tasks)))


@pytest.mark.parametrize("project", ["redis"], indirect=True)
def test_a_stop_completes_a_message_that_a_process_has_received_in_part(service: StopService) -> None:
    (worker,) = service.start_instances("prefork", 1)
    answers = service.run_python("from stops.celery_app import app\nanswer = app.control.inspect(timeout=5).stats()")
    processes = [pid for answer in answers.values() for pid in answer["pool"]["processes"]]
    before = service.count_runs("prefork").total()
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    # Larger than the buffer of a pipe.
    service.run_python(SEND.format(queue="prefork", first=-2, last=0, padding=2_000_000))
    reserved = "answer = [task['id'] for tasks in app.control.inspect(timeout=5).reserved().values() for task in tasks]"
    service.wait_until(
        lambda: len(service.run_python(f"from stops.celery_app import app\n{reserved}")) == 2, START_TIMEOUT
    )
    worker.terminate()
    worker.wait_for_line("Warm shutdown")
    for pid in processes:
        os.kill(pid, signal.SIGCONT)

    service.stop_workers([worker])
    assert service.count_runs("prefork").total() == before + 2


def test_a_gevent_worker_receives_the_next_task_as_soon_as_one_ends(service: StopService) -> None:
    before = service.count_runs("gevent").total()
    service.run_python(SEND.format(queue="gevent", first=-TASKS, last=0, padding=0))
    service.start_instances("gevent", 1)
    service.wait_for_runs("gevent", before + 1)

    # Celery and kombu would wait for 2 s after each two tasks on Redis, and for 0.1 s after each task on RabbitMQ.
    service.wait_until(lambda: service.count_runs("gevent").total() == before + TASKS, timeout=TASKS * 0.1 * 0.8)
