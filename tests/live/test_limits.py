"""The extra `limits` with real workers on Redis: concurrency, rates and unique tasks."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import TYPE_CHECKING

import pytest

from tests.conftest import count
from tests.live.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.bakery import Bakery
    from tests.support.brokers import Redis
    from tests.support.environments import Environment

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("limits")]

TASKS = '''

def run(task, number, seconds):
    """Print the start and the end of a run, each on a line."""
    import time

    print(f"<{task} {number} started {time.time()}>", flush=True)
    time.sleep(seconds)
    print(f"<{task} {number} ended {time.time()}>", flush=True)


@shared_task
@limit_concurrency(2, key="{customer}")
def synchronize(customer, number):
    run(f"synchronize-{customer}", number, 0.3)


@shared_task
@limit_concurrency(1)
def hold(number, seconds):
    run("hold", number, seconds)


@shared_task
@limit_rate(3, per=2)
def call(number):
    run("call", number, 0)


@shared_task
@unique(within=300, key="{report}")
def generate(report):
    run("generate", report, 0)
'''
IMPORT = "from limited.tasks.default import call, generate, hold, synchronize\n"


class LimitedService(Service):
    """Workers that print the start and the end of each run."""

    def list_times(self, task: str, event: str) -> list[tuple[float, int]]:
        """Return the time and the number of each start or end of a task, in order."""
        output = "\n".join(worker.output for worker in self.workers.values())
        found = re.findall(rf"<{task} (\d+) {event} ([\d.]+)>", output)
        return sorted((float(time), int(number)) for number, time in found)

    def measure_concurrency(self, task: str) -> int:
        """Return the maximum number of concurrent runs of a task."""
        changes = [(time, 1) for time, _ in self.list_times(task, "started")]
        changes += [(time, -1) for time, _ in self.list_times(task, "ended")]
        return max(sum(change for _, change in sorted(changes)[: end + 1]) for end in range(len(changes)))

    def count_scheduled(self) -> int:
        """Return the number of scheduled tasks that the project's command prints."""
        command = ("python", "-m", "limited.scheduled", "--json")
        completed = self.project.run(*command, environment=self.environment, variables=self.variables)
        return int(json.loads(completed.stdout)["default"])


@pytest.fixture(scope="module")
def service(
    redis_server: Redis,
    bake: Bakery,
    install_project: Callable[..., Environment],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[LimitedService]:
    """Return two workers with two processes each, and a lease of two seconds."""
    project = bake(
        project_name="Limited",
        result_backend="none",
        queues="default:2",
        beat_jobs="",
        examples=False,
        monitoring=False,
        extras="limits",
    ).copy_to(tmp_path_factory.mktemp("limited"))
    module = project.path / "src/limited/tasks/default.py"
    text = module.read_text(encoding="utf-8") + TASKS
    module.write_text("from limited.limits import limit_concurrency, limit_rate, unique\n" + text, encoding="utf-8")
    project.replace("celeryconfig.py", '"lease": 30,', '"lease": 2,')
    variables = {"CELERY_BROKER_URL": redis_server.new_database(), "LOG_FORMAT": "console"}
    with LimitedService(project, install_project(project), variables) as running:
        running.start_instances("default", 2)
        yield running


def test_at_most_two_tasks_of_a_key_run_at_a_time(service: LimitedService, request: pytest.FixtureRequest) -> None:
    count(request, "live")
    service.run_python(
        f"{IMPORT}for customer in 'ab':\n"
        "    for number in range(20): synchronize.delay(customer, number)\n"
        "answer = None"
    )
    scheduled = service.count_scheduled()
    service.wait_until(lambda: len(service.list_times("synchronize-[ab]", "ended")) == 40, 60)

    for customer in "ab":
        assert sorted(number for _, number in service.list_times(f"synchronize-{customer}", "started")) == [*range(20)]
        assert service.measure_concurrency(f"synchronize-{customer}") == 2
    assert service.measure_concurrency("synchronize-[ab]") > 2  # the keys do not limit each other
    assert scheduled >= 10  # they do not wait in the memory of a worker


def test_a_rate_applies_to_all_workers(service: LimitedService) -> None:
    service.run_python(f"{IMPORT}for number in range(9): call.delay(number)\nanswer = None")
    service.wait_until(lambda: len(service.list_times("call", "ended")) == 9, 60)

    times = [time for time, _ in service.list_times("call", "started")]
    # A start is counted some milliseconds before the task prints it.
    assert min(later - earlier for earlier, later in zip(times, times[3:], strict=False)) > 1.8
    assert times[-1] - times[0] < 20
    assert all(re.search(r"<call \d+ ended", worker.output) for worker in service.workers.values())


def test_concurrent_publishers_publish_a_unique_task_once(service: LimitedService) -> None:
    ids = service.run_python(
        f"{IMPORT}from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(20) as publishers:\n"
        "    answer = [task.id for task in publishers.map(generate.delay, [1] * 20)]\n"
        "generate.delay(2)"
    )
    service.wait_until(lambda: len(service.list_times("generate", "ended")) == 2)

    assert len(ids) == 20
    assert len(set(ids)) == 1
    assert sorted(number for _, number in service.list_times("generate", "started")) == [1, 2]


def test_the_slot_of_a_killed_worker_is_free_again(service: LimitedService) -> None:
    """The redelivered task takes its slot again, and the waiting task runs after it."""
    service.run_python(f"{IMPORT}hold.delay(0, 3)\nhold.apply_async((1, 0), countdown=1.5)\nanswer = None")
    service.wait_until(lambda: bool(service.list_times("hold", "started")))
    (holder,) = [worker for worker in service.workers.values() if "<hold 0 started" in worker.output]
    os.killpg(holder.popen.pid, signal.SIGKILL)

    service.wait_until(lambda: len(service.list_times("hold", "ended")) == 2, 60)
    starts = service.list_times("hold", "started")
    assert [number for _, number in starts] == [0, 0, 1]
    assert starts[2][0] > service.list_times("hold", "ended")[0][0]
