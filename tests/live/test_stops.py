"""Stops of workers that drain a deep queue: each ends with the tasks that run, and no task runs twice."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.conftest import count
from tests.live.service import START, Service

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.bakery import Bakery
    from tests.support.environments import Environment
    from tests.support.processes import Process
    from tests.support.project import BakedProject
    from tests.support.servers import Servers

pytestmark = pytest.mark.slow

ROUNDS = {"prefork": 4, "threads": 4}
"""How often the workers of each pool are stopped. Celery's own took 30 s and ran tasks twice in every second stop."""

WORKERS = 5
"""Workers that are started, drain the queue together, and are stopped at once."""

TASKS = 400
"""Tasks that are sent for each round."""

LONGEST = 12.0
"""Seconds that a stop may take on a busy machine; a process of the pool takes one to exit."""

MODULE = '''"""Tasks of the test."""

from celery import shared_task


@shared_task
def note(number: int, padding: str = "") -> None:
    """Note that this task ran, in one write, so that processes may share the file."""
    with open({file!r}, "a", encoding="utf-8") as file:
        file.write(f"{{number}}\\n")
'''
SEND = """
from couriers.tasks.{queue} import note

for number in range({first}, {last}):
    note.delay(number, "x" * {padding})
answer = None
"""


@pytest.fixture(
    scope="module",
    params=[pytest.param(broker, marks=pytest.mark.xdist_group(f"stops-{broker}")) for broker in ("redis", "rabbitmq")],
)
def project(request: pytest.FixtureRequest, bake: Bakery, tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """A project with a queue for each pool, whose tasks note that they ran."""
    answers = {"broker": request.param, "result_backend": "none", "beat_jobs": "", "examples": False}
    queues = "prefork:2, threads:2@threads"
    folder = tmp_path_factory.mktemp("stops")
    baked = bake(project_name="Couriers", queues=queues, **answers).copy_to(folder)
    for queue in ROUNDS:
        module = MODULE.format(file=str(folder / queue))
        (baked.package / "tasks" / f"{queue}.py").write_text(module, encoding="utf-8")
    return baked


class Couriers(Service):
    """The project's workers, several for each queue."""

    def runs(self, queue: str) -> Counter[str]:
        """How often each task of a queue ran."""
        file = self.project.path.parent / queue
        return Counter(file.read_text(encoding="utf-8").split() if file.exists() else [])

    def wait_for_runs(self, queue: str, number: int) -> None:
        """Wait until so many tasks of a queue ran."""
        self.wait_until(lambda: self.runs(queue).total() >= number, START, pause=0.02)

    def stop_couriers(self, workers: list[Process]) -> None:
        """Stop workers as their supervisor does."""
        began = time.monotonic()
        for worker in workers:
            worker.terminate()
        for worker in workers:
            assert worker.wait(60) == 0
        seconds = time.monotonic() - began
        assert seconds < LONGEST
        if (url := self.variables["CELERY_BROKER_URL"]).startswith("redis"):
            held = subprocess.run(["redis-cli", "-u", url, "hkeys", "unacked"], check=True, capture_output=True)
            assert held.stdout.strip() == b""


@pytest.fixture
def couriers(project: BakedProject, environment: Environment, servers: Servers) -> Iterator[Couriers]:
    """The project on a database or a virtual host that is not used yet."""
    with Couriers(project, environment, servers.variables(project) | {"LOG_FORMAT": "console"}) as running:
        yield running


@pytest.mark.parametrize("pool", ROUNDS)
def test_stops_of_busy_workers_are_quick_and_run_no_task_twice(
    couriers: Couriers, pool: str, request: pytest.FixtureRequest
) -> None:
    tasks = 0
    for _ in range(ROUNDS[pool]):
        workers = couriers.start_instances(pool, WORKERS)
        enough = couriers.runs(pool).total() + TASKS // 4
        send = SEND.format(queue=pool, first=tasks, last=tasks + TASKS, padding=0)
        sender = couriers.start(["python", "-c", send], "sender")
        tasks += TASKS
        couriers.wait_for_runs(pool, enough)
        couriers.stop_couriers(workers)
        assert sender.wait() == 0
        count(request, "live")
    assert couriers.runs(pool).total() < tasks, "the workers were not busy when they stopped"

    couriers.start_instances(pool, 2)
    couriers.wait_for_runs(pool, tasks)
    assert couriers.runs(pool) == Counter(map(str, range(tasks)))


@pytest.mark.parametrize("project", ["redis"], indirect=True)
def test_a_stop_completes_a_message_that_a_process_has_received_in_part(couriers: Couriers) -> None:
    (worker,) = couriers.start_instances("prefork", 1)
    answers = couriers.ask("from couriers.celery_app import app\nanswer = app.control.inspect(timeout=5).stats()")
    processes = [pid for answer in answers.values() for pid in answer["pool"]["processes"]]
    before = couriers.runs("prefork").total()
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    # Larger than what a pipe holds.
    couriers.ask(SEND.format(queue="prefork", first=-2, last=0, padding=2_000_000))
    reserved = "answer = [task['id'] for tasks in app.control.inspect(timeout=5).reserved().values() for task in tasks]"
    couriers.wait_until(lambda: len(couriers.ask(f"from couriers.celery_app import app\n{reserved}")) == 2, START)
    worker.terminate()
    worker.wait_for_line("Warm shutdown")
    for pid in processes:
        os.kill(pid, signal.SIGCONT)

    couriers.stop_couriers([worker])
    assert couriers.runs("prefork").total() == before + 2
