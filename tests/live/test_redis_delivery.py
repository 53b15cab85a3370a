"""What Redis delivers when workers are killed, connections are lost, and memory runs out: every task runs."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import count, need
from tests.live.service import Service
from tests.support.brokers import private_redis, redis_server
from tests.support.gate import Gate, port_of, through
from tests.support.processes import Process, free_port, wait_for_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack
    from pathlib import Path

    from tests.support.bakery import Bakery
    from tests.support.environments import Environment
    from tests.support.project import BakedProject

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("redis-delivery")]

LEASE = 2
"""Seconds, instead of 30."""

TASKS = """

@shared_task
def work(number: int, seconds: float = 0, padding: str = "") -> None:
    import time

    print(f"<began {number} at {time.time()}>", flush=True)  # two processes may print on one line
    time.sleep(seconds)
    print(f"<ran {number}>", flush=True)


@shared_task(bind=True)
def retry_once(self, number: int, countdown: float, padding: str) -> None:
    if not self.request.retries:
        raise self.retry(countdown=countdown)
    print(f"<ran {number}>", flush=True)


@shared_task
def kill_the_worker() -> None:
    import os
    import signal

    os.kill(os.getppid(), signal.SIGKILL)
"""
WORK = "from couriers.tasks.default import work"


@pytest.fixture(scope="module")
def project(bake: Bakery, tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """A project with a task to wait for and a short lease."""
    baked = bake(
        project_name="Couriers", broker="redis", result_backend="none", queues="default:2", beat_jobs="", examples=False
    ).copy_to(tmp_path_factory.mktemp("couriers"))
    with (baked.package / "tasks" / "default.py").open("a", encoding="utf-8") as module:
        module.write(TASKS)
    settings = baked.package / "celeryconfig.py"
    text = settings.read_text(encoding="utf-8")
    assert text.count('"lease": 30,') == 1
    settings.write_text(text.replace('"lease": 30,', f'"lease": {LEASE},'), encoding="utf-8")
    base_task = baked.package / "base_task.py"
    text = base_task.read_text(encoding="utf-8")
    assert text.count("MAX_LOST_WORKERS = 10\n") == 1
    base_task.write_text(text.replace("MAX_LOST_WORKERS = 10\n", "MAX_LOST_WORKERS = 2\n"), encoding="utf-8")
    return baked


class Couriers(Service):
    """The project's workers, each of which consumes its only queue."""

    def start_couriers(self, number: int, **variables: str) -> list[Process]:
        """Start workers at once, and wait until they consume."""
        return self.start_instances("default", number, **variables)

    def redis(self, *command: str) -> str:
        """What Redis answers."""
        url = self.variables["CELERY_BROKER_URL"]
        ran = subprocess.run(["redis-cli", "-u", url, *command], check=True, capture_output=True, text=True)
        return ran.stdout.strip()

    def runs(self, word: str = "ran") -> list[int]:
        """The numbers of the tasks that ran, or began, in any worker."""
        output = "\n".join(worker.output for worker in self.workers.values())
        return sorted(int(number) for number in re.findall(rf"<{word} (\d+)", output))

    def is_drained(self) -> bool:
        """Whether no message is ready or unacknowledged."""
        return self.redis("llen", "default") == self.redis("hlen", "unacked") == "0"


@pytest.fixture
def couriers(
    project: BakedProject, environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Couriers]:
    """The project on a private Redis."""
    need(redis_server(), "redis-server")
    with (
        private_redis(tmp_path_factory.mktemp("redis") / "data") as redis,
        Couriers(project, environment, {"CELERY_BROKER_URL": redis.new_database(), "LOG_FORMAT": "console"}) as running,
    ):
        yield running


def kill(worker: Process) -> None:
    """SIGKILL a worker and its pool, as when its host dies."""
    os.killpg(worker.popen.pid, signal.SIGKILL)


def test_frozen_and_killed_workers_lose_no_message(couriers: Couriers, request: pytest.FixtureRequest) -> None:
    count(request, "live")
    workers = couriers.start_couriers(3)
    # What kombu asks Redis for is answered for a second more.
    couriers.ask(
        f"import os, signal\n{WORK}\nwork.delay(0)\n"
        f"pids = {[worker.popen.pid for worker in workers]}\n"
        "for pid in pids: os.killpg(pid, signal.SIGSTOP)\n"
        "for number in range(1, 7): work.delay(number)\n"
        "for pid in pids: os.killpg(pid, signal.SIGKILL)\n"
        "answer = None"
    )

    couriers.start_couriers(1)
    couriers.wait_until(lambda: set(couriers.runs()) >= set(range(1, 7)) and couriers.is_drained())


def test_the_tasks_of_a_killed_worker_run_again_soon(couriers: Couriers) -> None:
    lost, other = couriers.start_couriers(2)
    couriers.ask(f"{WORK}\nfor number in range(4): work.delay(number, {2.5 * LEASE})\nanswer = None")
    couriers.wait_until(lambda: len(couriers.runs("began")) == 4)
    kill(lost)

    # Twice: those of the killed worker. The others keep their leases.
    couriers.wait_until(lambda: couriers.runs() == [0, 1, 2, 3] and couriers.is_drained(), 40)
    assert len(couriers.runs("began")) == 6
    assert "message of a lost worker requeued" in other.output


def test_a_task_that_kills_its_workers_becomes_a_dead_letter(couriers: Couriers) -> None:
    couriers.ask("from couriers.tasks.default import kill_the_worker\nkill_the_worker.delay()\nanswer = None")
    for _ in range(2):
        (worker,) = couriers.start_couriers(1)
        assert worker.wait(40) == -signal.SIGKILL

    (worker,) = couriers.start_couriers(1)
    worker.wait_for_line("2 workers were lost while they held the task", 40)
    couriers.wait_until(couriers.is_drained)
    assert couriers.redis("hlen", "couriers:dead_letters") == "1"


@pytest.mark.parametrize("stop", ["SIGTERM", "celery control shutdown"])
def test_a_stopping_worker_keeps_its_leases(couriers: Couriers, stop: str) -> None:
    stopping, _ = couriers.start_couriers(2)
    couriers.ask(f"{WORK}\nfor number in range(4): work.delay(number, {5 * LEASE})\nanswer = None")
    couriers.wait_until(lambda: len(couriers.runs("began")) == 4)
    if stop == "SIGTERM":
        stopping.terminate()
    else:
        couriers.ask(
            "from couriers.celery_app import app\n"
            f"suffix = '-{len(couriers.workers) - 2}@'\n"
            "(name,) = [name for name in app.control.inspect(timeout=3).ping() if suffix in name]\n"
            "app.control.shutdown(destination=[name])\n"
            "answer = None"
        )

    assert stopping.wait(40) == 0
    couriers.wait_until(couriers.is_drained)
    assert couriers.runs("began") == couriers.runs() == [0, 1, 2, 3]


def test_a_full_redis_is_drained(couriers: Couriers) -> None:
    couriers.redis("config", "set", "maxmemory", "3mb")
    accepted = couriers.ask(
        f"{WORK}\nanswer = 0\n"
        "try:\n"
        "    while True:\n"
        '        work.apply_async((answer,), {"padding": "x" * 10000}, retry=False)\n'
        "        answer += 1\n"
        "except Exception as error:\n"
        '    assert "maxmemory" in str(error), error\n'
    )
    assert accepted > 10

    (worker,) = couriers.start_couriers(1)  # on a full Redis
    couriers.wait_until(lambda: couriers.runs() == list(range(accepted)) and couriers.is_drained())
    assert "Unrecoverable" not in worker.output


def test_a_full_redis_accepts_retries(couriers: Couriers) -> None:
    couriers.redis("config", "set", "maxmemory", "3mb")
    accepted = couriers.ask(
        "from couriers.tasks.default import retry_once\n"
        "answer = 0\n"
        "try:\n"
        "    while True:\n"
        '        retry_once.apply_async((answer, answer % 2 * 2, "x" * 10000), retry=False)\n'
        "        answer += 1\n"
        "except Exception as error:\n"
        '    assert "maxmemory" in str(error), error\n'
    )
    assert accepted > 10

    (worker,) = couriers.start_couriers(1)
    couriers.wait_until(lambda: couriers.runs() == list(range(accepted)) and couriers.is_drained())
    assert "not published" not in worker.output
    assert "Traceback" not in worker.output


def test_no_worker_holds_a_delayed_task(couriers: Couriers) -> None:
    (worker,) = couriers.start_couriers(1)
    due = couriers.ask(
        f"import time\n{WORK}\nwork.apply_async((0,), countdown=90000)\n"
        "answer = time.time() + 2.5\n"
        "work.apply_async((1,), countdown=2.5)"
    )

    worker.wait_for_line("<ran 1>")
    began = re.search(r"<began 1 at ([\d.]+)>", worker.output)
    assert began
    assert 0 <= float(began[1]) - due < 3
    couriers.wait_until(couriers.is_drained)
    assert couriers.redis("zcard", "default.scheduled") == "1"
    assert couriers.runs() == [1]


def test_a_worker_is_as_small_with_100_000_delayed_tasks(couriers: Couriers) -> None:
    (worker,) = couriers.start_couriers(1)

    def memory() -> int:
        """Return the resident memory of the worker and its processes, in kB."""
        ran = subprocess.run(["ps", "-A", "-o", "pgid=,rss="], check=True, capture_output=True, text=True)
        lines = (line.split() for line in ran.stdout.splitlines())
        return sum(int(rss) for group, rss in lines if int(group) == worker.popen.pid)

    send = f"{WORK}\nfor number in range(2): work.apply_async((number,), countdown=2)\nanswer = None"
    couriers.ask(send)
    couriers.wait_until(lambda: couriers.runs() == [0, 1] and couriers.is_drained())
    before = memory()
    # Copies of one message, since to publish so many takes a minute.
    couriers.ask(
        f"from couriers.celery_app import app\n{WORK}\n"
        "task_id = work.apply_async((2,), countdown=86400).id\n"
        "with app.connection_for_write() as connection:\n"
        "    client = connection.default_channel.client\n"
        '    (message,) = client.zrange("default.scheduled", 0, -1)\n'
        '    score = client.zscore("default.scheduled", message)\n'
        "    for first in range(1, 100000, 1000):\n"
        '        ids = [f"{number:08}" for number in range(first, min(first + 1000, 100000))]\n'
        "        copies = {message.replace(task_id[:8].encode(), each.encode()): score for each in ids}\n"
        '        client.zadd("default.scheduled", copies)\n'
        "answer = None"
    )
    assert couriers.redis("zcard", "default.scheduled") == "100000"

    couriers.ask(send)
    couriers.wait_until(lambda: couriers.runs() == [0, 0, 1, 1] and couriers.is_drained())
    assert memory() - before < 10_000
    assert couriers.redis("zcard", "default.scheduled") == "100000"


def test_workers_with_kombus_transport_share_the_queue_in_an_upgrade(
    couriers: Couriers, project: BakedProject, tmp_path: Path
) -> None:
    old = project.copy_to(tmp_path)
    module = old.package / "redis_transport.py"
    text, number = re.subn(r"^TRANSPORT_ALIASES\[.*\n", "", module.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert number == 2
    module.write_text(text, encoding="utf-8")
    (before,) = couriers.start_couriers(1, PYTHONPATH=str(old.path / "src"))
    (after,) = couriers.start_couriers(1)
    send = (
        f"{WORK}\nfrom kombu.transport import TRANSPORT_ALIASES\n"
        "for number in range({first}, {first} + 100):\n"
        "    work.apply_async((number, 0.05), countdown=None if number % 10 else 3)\n"
        "answer = TRANSPORT_ALIASES['redis']"
    )
    assert couriers.ask(send.format(first=0)) == "couriers.redis_transport:Transport"
    new, couriers.variables = couriers.variables, couriers.variables | {"PYTHONPATH": str(old.path / "src")}
    assert couriers.ask(send.format(first=100)) == "kombu.transport.redis:Transport"
    couriers.variables = new
    couriers.wait_until(lambda: len(couriers.runs("began")) > 50)
    before.terminate()
    assert before.wait(40) == 0

    couriers.wait_until(lambda: couriers.runs() == list(range(200)) and couriers.is_drained())
    assert couriers.runs("began") == list(range(200))
    assert all("<ran" in worker.output for worker in (before, after))


def test_a_storm_of_lost_connections_loses_no_task(couriers: Couriers) -> None:
    workers = couriers.start_couriers(2)
    couriers.ask(f"{WORK}\nfor number in range(60): work.delay(number, 0.1)\nanswer = None")
    for _ in range(20):
        couriers.redis("client", "kill", "type", "normal", "skipme", "yes")
        couriers.redis("client", "kill", "type", "pubsub")
        time.sleep(0.2)

    # Celery itself ends a worker whose first publish after the connection fails; a supervisor starts it again.
    couriers.start_couriers(sum(worker.popen.poll() is not None for worker in workers))
    couriers.wait_until(lambda: set(couriers.runs()) == set(range(60)) and couriers.is_drained(), 40)
    assert "NoneType" not in "".join(worker.output for worker in workers)


def test_connections_that_are_dropped_in_silence_cost_seconds(couriers: Couriers) -> None:
    url = couriers.variables["CELERY_BROKER_URL"]
    with Gate(port_of(url)) as gate:
        (worker,) = couriers.start_couriers(1, CELERY_BROKER_URL=through(gate, url))
        couriers.ask(f"{WORK}\nwork.delay(0, 5)\nanswer = None")
        worker.wait_for_line("<began 0")
        gate.drop()
        couriers.ask(f"{WORK}\nwork.delay(1)\nanswer = None")
        # With timeouts of 30 s it took 95 s, and the first task was never acknowledged.
        couriers.wait_until(lambda: couriers.runs() == [0, 1] and couriers.is_drained(), 50)
    assert couriers.runs("began") == [0, 1]


def test_a_worker_outlasts_a_fail_over(couriers: Couriers) -> None:
    (worker,) = couriers.start_couriers(1)
    couriers.wait_until(lambda: "cmd=bzpopmin" in couriers.redis("client", "list"))
    couriers.redis("replicaof", "127.0.0.1", "1")  # it is read-only now, as a master after a fail-over
    worker.wait_for_line(lambda line: "onnection to broker lost" in line)
    couriers.redis("replicaof", "no", "one")

    couriers.ask(f"{WORK}\nwork.delay(0)\nanswer = None")
    worker.wait_for_line("<ran 0>")


def test_workers_connect_by_sentinel_and_by_a_unix_socket(
    couriers: Couriers, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    stack: ExitStack = couriers._stack
    master = re.search(r":(\d+)/", couriers.variables["CELERY_BROKER_URL"])
    assert master
    port = free_port()
    configuration = tmp_path / "sentinel.conf"
    configuration.write_text(f"port {port}\nbind 127.0.0.1\nsentinel monitor mymaster 127.0.0.1 {master[1]} 1\n")
    program: Any = redis_server()
    sentinel = Process([program, str(configuration), "--sentinel"], cwd=tmp_path, env=os.environ, name="sentinel")
    wait_for_port(port, stack.enter_context(sentinel).popen, 10)
    socket = tmp_path / "redis.sock"
    server = Process(
        [program, "--port", "0", "--unixsocket", str(socket), "--save", ""], cwd=tmp_path, env=os.environ, name="redis"
    )
    stack.enter_context(server).wait_for_line("accept connections")

    for url in (f"sentinel://127.0.0.1:{port}/0", f"redis+socket://{socket}"):
        couriers.variables["CELERY_BROKER_URL"] = url
        (worker,) = couriers.start_couriers(1)
        couriers.ask(f"{WORK}\nwork.delay(0)\nwork.apply_async((1,), countdown=2)\nanswer = None")
        worker.wait_for_line("<ran 0>")
        worker.wait_for_line("<ran 1>")
        count(request, "live")


def test_a_cluster_is_refused_in_one_sentence(project: BakedProject, environment: Environment, tmp_path: Path) -> None:
    program: Any = redis_server()
    port = next(port for port in iter(free_port, None) if port < 55536)  # the cluster's bus has 10000 more
    words = [program, "--port", str(port), "--bind", "127.0.0.1", "--cluster-enabled", "yes"]
    with (
        Process(words, cwd=tmp_path, env=os.environ, name="cluster") as server,
        Couriers(project, environment, {"CELERY_BROKER_URL": f"redis://127.0.0.1:{port}/0"}) as couriers,
    ):
        wait_for_port(port, server.popen, 10)
        refused = couriers.ask(f"{WORK}\ntry:\n    work.delay(0)\nexcept Exception as error:\n    answer = str(error)")
    assert refused.startswith("The broker is a Redis Cluster")
