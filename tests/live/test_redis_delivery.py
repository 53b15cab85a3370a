"""Delivery by Redis with killed workers, lost connections and full memory."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import count, require_program
from tests.live.service import Service
from tests.support.brokers import find_redis_server, run_redis
from tests.support.processes import Process, free_port, wait_for_port
from tests.support.proxy import Proxy, get_port, route_through

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import ExitStack
    from pathlib import Path

    from tests.support.bakery import Bakery
    from tests.support.environments import Environment
    from tests.support.project import BakedProject

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("redis-delivery")]

LEASE = 2
"""Seconds. The default is 30."""

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
WORK = "from delivery.tasks.default import work"


@pytest.fixture(scope="module")
def project(bake: Bakery, tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """Return a project with a short lease."""
    baked = bake(
        project_name="Delivery", broker="redis", result_backend="none", queues="default:2", beat_jobs="", examples=False
    ).copy_to(tmp_path_factory.mktemp("delivery"))
    baked.append("tasks/default.py", TASKS)
    baked.replace("celeryconfig.py", '"lease": 30,', f'"lease": {LEASE},')
    baked.replace("base_task.py", "MAX_LOST_WORKERS = 10\n", "MAX_LOST_WORKERS = 2\n")
    return baked


class RedisService(Service):
    """A service with one queue on a private Redis."""

    def start_default_workers(self, number: int, **variables: str) -> list[Process]:
        """Start workers in parallel, and wait until they are ready."""
        return self.start_instances("default", number, **variables)

    def redis_cli(self, *command: str) -> str:
        """Run redis-cli. Return its output."""
        url = self.variables["CELERY_BROKER_URL"]
        completed = subprocess.run(["redis-cli", "-u", url, *command], check=True, capture_output=True, text=True)
        return completed.stdout.strip()

    def list_runs(self, word: str = "ran") -> list[int]:
        """Return the numbers of the tasks that completed (`ran`) or started (`began`) in any worker."""
        output = "\n".join(worker.output for worker in self.workers.values())
        return sorted(int(number) for number in re.findall(rf"<{word} (\d+)", output))

    def is_drained(self) -> bool:
        """Return whether no message is ready or unacknowledged."""
        return self.redis_cli("llen", "default") == self.redis_cli("hlen", "unacked") == "0"


@pytest.fixture
def service(
    project: BakedProject, environment: Environment, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RedisService]:
    """Return a service on a private Redis, without processes."""
    require_program(find_redis_server(), "redis-server")
    with (
        run_redis(tmp_path_factory.mktemp("redis") / "data") as redis_server,
        RedisService(
            project, environment, {"CELERY_BROKER_URL": redis_server.new_database(), "LOG_FORMAT": "console"}
        ) as running,
    ):
        yield running


def kill(worker: Process) -> None:
    """Send SIGKILL to a worker and its pool, like a crash of the host."""
    os.killpg(worker.popen.pid, signal.SIGKILL)


def test_frozen_and_killed_workers_lose_no_message(service: RedisService, request: pytest.FixtureRequest) -> None:
    count(request, "live")
    workers = service.start_default_workers(3)
    # Pending requests of kombu to Redis last up to a second.
    service.run_python(
        f"import os, signal\n{WORK}\nwork.delay(0)\n"
        f"pids = {[worker.popen.pid for worker in workers]}\n"
        "for pid in pids: os.killpg(pid, signal.SIGSTOP)\n"
        "for number in range(1, 7): work.delay(number)\n"
        "for pid in pids: os.killpg(pid, signal.SIGKILL)\n"
        "answer = None"
    )

    service.start_default_workers(1)
    service.wait_until(lambda: set(service.list_runs()) >= set(range(1, 7)) and service.is_drained())


def test_the_tasks_of_a_killed_worker_run_again_soon(service: RedisService) -> None:
    killed, other = service.start_default_workers(2)
    service.run_python(f"{WORK}\nfor number in range(4): work.delay(number, {2.5 * LEASE})\nanswer = None")
    service.wait_until(lambda: len(service.list_runs("began")) == 4)
    kill(killed)

    # Only the tasks of the killed worker run twice. The other worker keeps its leases.
    service.wait_until(lambda: service.list_runs() == [0, 1, 2, 3] and service.is_drained(), 40)
    assert len(service.list_runs("began")) == 6
    assert "message of a lost worker requeued" in other.output


def test_a_task_that_kills_its_workers_becomes_a_dead_letter(service: RedisService) -> None:
    service.run_python("from delivery.tasks.default import kill_the_worker\nkill_the_worker.delay()\nanswer = None")
    for _ in range(2):
        (worker,) = service.start_default_workers(1)
        assert worker.wait(40) == -signal.SIGKILL

    (worker,) = service.start_default_workers(1)
    worker.wait_for_line("2 workers were lost while they held the task", 40)
    service.wait_until(service.is_drained)
    assert service.redis_cli("hlen", "delivery:dead_letters") == "1"


@pytest.mark.parametrize("stop", ["SIGTERM", "celery control shutdown"])
def test_a_stopping_worker_keeps_its_leases(service: RedisService, stop: str) -> None:
    stopping, _ = service.start_default_workers(2)
    service.run_python(f"{WORK}\nfor number in range(4): work.delay(number, {5 * LEASE})\nanswer = None")
    service.wait_until(lambda: len(service.list_runs("began")) == 4)
    if stop == "SIGTERM":
        stopping.terminate()
    else:
        service.run_python(
            "from delivery.celery_app import app\n"
            f"suffix = '-{len(service.workers) - 2}@'\n"
            "(name,) = [name for name in app.control.inspect(timeout=3).ping() if suffix in name]\n"
            "app.control.shutdown(destination=[name])\n"
            "answer = None"
        )

    assert stopping.wait(40) == 0
    service.wait_until(service.is_drained)
    assert service.list_runs("began") == service.list_runs() == [0, 1, 2, 3]


def test_a_full_redis_is_drained(service: RedisService) -> None:
    service.redis_cli("config", "set", "maxmemory", "3mb")
    accepted = service.run_python(
        f"{WORK}\nanswer = 0\n"
        "try:\n"
        "    while True:\n"
        '        work.apply_async((answer,), {"padding": "x" * 10000}, retry=False)\n'
        "        answer += 1\n"
        "except Exception as error:\n"
        '    assert "maxmemory" in str(error), error\n'
    )
    assert accepted > 10

    (worker,) = service.start_default_workers(1)  # on a full Redis
    service.wait_until(lambda: service.list_runs() == list(range(accepted)) and service.is_drained())
    assert "Unrecoverable" not in worker.output


def test_a_full_redis_accepts_retries(service: RedisService) -> None:
    service.redis_cli("config", "set", "maxmemory", "3mb")
    accepted = service.run_python(
        "from delivery.tasks.default import retry_once\n"
        "answer = 0\n"
        "try:\n"
        "    while True:\n"
        '        retry_once.apply_async((answer, answer % 2 * 2, "x" * 10000), retry=False)\n'
        "        answer += 1\n"
        "except Exception as error:\n"
        '    assert "maxmemory" in str(error), error\n'
    )
    assert accepted > 10

    (worker,) = service.start_default_workers(1)
    service.wait_until(lambda: service.list_runs() == list(range(accepted)) and service.is_drained())
    assert "not published" not in worker.output
    assert "Traceback" not in worker.output


def test_no_worker_holds_a_delayed_task(service: RedisService) -> None:
    (worker,) = service.start_default_workers(1)
    due = service.run_python(
        f"import time\n{WORK}\nwork.apply_async((0,), countdown=90000)\n"
        "answer = time.time() + 2.5\n"
        "work.apply_async((1,), countdown=2.5)"
    )

    worker.wait_for_line("<ran 1>")
    began = re.search(r"<began 1 at ([\d.]+)>", worker.output)
    assert began
    assert 0 <= float(began[1]) - due < 3
    service.wait_until(service.is_drained)
    assert service.redis_cli("zcard", "default.scheduled") == "1"
    assert service.list_runs() == [1]


def test_delayed_tasks_do_not_increase_the_memory_of_a_worker(service: RedisService) -> None:
    (worker,) = service.start_default_workers(1)

    def measure_memory() -> int:
        """Return the resident memory of the worker and its processes, in kB."""
        completed = subprocess.run(["ps", "-A", "-o", "pgid=,rss="], check=True, capture_output=True, text=True)
        lines = (line.split() for line in completed.stdout.splitlines())
        return sum(int(rss) for group, rss in lines if int(group) == worker.popen.pid)

    send = f"{WORK}\nfor number in range(2): work.apply_async((number,), countdown=2)\nanswer = None"
    service.run_python(send)
    service.wait_until(lambda: service.list_runs() == [0, 1] and service.is_drained())
    before = measure_memory()
    # Copies of one message, because publishing takes a minute.
    service.run_python(
        f"from delivery.celery_app import app\n{WORK}\n"
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
    assert service.redis_cli("zcard", "default.scheduled") == "100000"

    service.run_python(send)
    service.wait_until(lambda: service.list_runs() == [0, 0, 1, 1] and service.is_drained())
    assert measure_memory() - before < 10_000
    assert service.redis_cli("zcard", "default.scheduled") == "100000"


def test_workers_with_kombus_transport_share_the_queue_in_an_upgrade(
    service: RedisService, project: BakedProject, tmp_path: Path
) -> None:
    old = project.copy_to(tmp_path)
    module = old.package / "redis_transport.py"
    text, number = re.subn(r"^TRANSPORT_ALIASES\[.*\n", "", module.read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert number == 2
    module.write_text(text, encoding="utf-8")
    (before,) = service.start_default_workers(1, PYTHONPATH=str(old.path / "src"))
    (after,) = service.start_default_workers(1)
    send = (
        f"{WORK}\nfrom kombu.transport import TRANSPORT_ALIASES\n"
        "for number in range({first}, {first} + 100):\n"
        "    work.apply_async((number, 0.05), countdown=None if number % 10 else 3)\n"
        "answer = TRANSPORT_ALIASES['redis']"
    )
    assert service.run_python(send.format(first=0)) == "delivery.redis_transport:Transport"
    new, service.variables = service.variables, service.variables | {"PYTHONPATH": str(old.path / "src")}
    assert service.run_python(send.format(first=100)) == "kombu.transport.redis:Transport"
    service.variables = new
    service.wait_until(lambda: len(service.list_runs("began")) > 50)
    before.terminate()
    assert before.wait(40) == 0

    service.wait_until(lambda: service.list_runs() == list(range(200)) and service.is_drained())
    assert service.list_runs("began") == list(range(200))
    assert all("<ran" in worker.output for worker in (before, after))


def test_a_storm_of_lost_connections_loses_no_task(service: RedisService) -> None:
    workers = service.start_default_workers(2)
    service.run_python(f"{WORK}\nfor number in range(60): work.delay(number, 0.1)\nanswer = None")
    for _ in range(20):
        service.redis_cli("client", "kill", "type", "normal", "skipme", "yes")
        service.redis_cli("client", "kill", "type", "pubsub")
        time.sleep(0.2)

    # Celery stops a worker whose first publish after the connection fails. A supervisor restarts it.
    service.start_default_workers(sum(worker.popen.poll() is not None for worker in workers))
    service.wait_until(lambda: set(service.list_runs()) == set(range(60)) and service.is_drained(), 40)
    assert "NoneType" not in "".join(worker.output for worker in workers)


def test_a_worker_recovers_from_silently_dropped_connections_within_seconds(service: RedisService) -> None:
    url = service.variables["CELERY_BROKER_URL"]
    with Proxy(get_port(url)) as proxy:
        (worker,) = service.start_default_workers(1, CELERY_BROKER_URL=route_through(proxy, url))
        service.run_python(f"{WORK}\nwork.delay(0, 5)\nanswer = None")
        worker.wait_for_line("<began 0")
        proxy.drop_data()
        service.run_python(f"{WORK}\nwork.delay(1)\nanswer = None")
        # With timeouts of 30 s it took 95 s, and the first task was not acknowledged.
        service.wait_until(lambda: service.list_runs() == [0, 1] and service.is_drained(), 50)
    assert service.list_runs("began") == [0, 1]


def test_a_worker_survives_a_failover(service: RedisService) -> None:
    (worker,) = service.start_default_workers(1)
    service.wait_until(lambda: "cmd=bzpopmin" in service.redis_cli("client", "list"))
    service.redis_cli("replicaof", "127.0.0.1", "1")  # read-only, like the old master after a failover
    worker.wait_for_line(lambda line: "onnection to broker lost" in line)
    service.redis_cli("replicaof", "no", "one")

    service.run_python(f"{WORK}\nwork.delay(0)\nanswer = None")
    worker.wait_for_line("<ran 0>")


def test_workers_connect_by_sentinel_and_by_a_unix_socket(
    service: RedisService, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    stack: ExitStack = service._stack
    master = re.search(r":(\d+)/", service.variables["CELERY_BROKER_URL"])
    assert master
    port = free_port()
    configuration = tmp_path / "sentinel.conf"
    configuration.write_text(f"port {port}\nbind 127.0.0.1\nsentinel monitor mymaster 127.0.0.1 {master[1]} 1\n")
    program: Any = find_redis_server()
    sentinel = Process([program, str(configuration), "--sentinel"], cwd=tmp_path, env=os.environ, name="sentinel")
    wait_for_port(port, stack.enter_context(sentinel).popen, 10)
    socket = tmp_path / "redis.sock"
    server = Process(
        [program, "--port", "0", "--unixsocket", str(socket), "--save", ""], cwd=tmp_path, env=os.environ, name="redis"
    )
    stack.enter_context(server).wait_for_line("accept connections")

    for url in (f"sentinel://127.0.0.1:{port}/0", f"redis+socket://{socket}"):
        service.variables["CELERY_BROKER_URL"] = url
        (worker,) = service.start_default_workers(1)
        service.run_python(f"{WORK}\nwork.delay(0)\nwork.apply_async((1,), countdown=2)\nanswer = None")
        worker.wait_for_line("<ran 0>")
        worker.wait_for_line("<ran 1>")
        count(request, "live")


def test_a_cluster_is_refused_in_one_sentence(project: BakedProject, environment: Environment, tmp_path: Path) -> None:
    program: Any = find_redis_server()
    port = next(port for port in iter(free_port, None) if port < 55536)  # the port of the cluster bus is 10000 higher
    words = [program, "--port", str(port), "--bind", "127.0.0.1", "--cluster-enabled", "yes"]
    with (
        Process(words, cwd=tmp_path, env=os.environ, name="cluster") as server,
        RedisService(project, environment, {"CELERY_BROKER_URL": f"redis://127.0.0.1:{port}/0"}) as service,
    ):
        wait_for_port(port, server.popen, 10)
        refused = service.run_python(
            f"{WORK}\ntry:\n    work.delay(0)\nexcept Exception as error:\n    answer = str(error)"
        )
    assert refused.startswith("The broker is a Redis Cluster")
