"""Each variant on its real broker, started with the commands in compose.yaml."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import count
from tests.live.service import Service, get_queue, read_commands
from tests.support.variants import Variant, combinations, cover_pairs, crossed_questions, is_supported, variant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.bakery import Bakery
    from tests.support.environments import Environment
    from tests.support.project import BakedProject
    from tests.support.servers import Servers

pytestmark = pytest.mark.slow

# Prefork and threads, a name with a dash, and a job every second on the second queue.
QUEUES = {"emails": "prefork", "high-priority": "prefork", "reports": "threads"}
ANSWERS = {
    "project_name": "Live Check",
    "queues": "emails:2, high-priority:1, reports:2@threads",
    "beat_jobs": "tick(7, label='live') = every 1s -> high-priority; yearly = 0 0 1 1 * -> reports",
}
PUBLISHER = f"""
import time

from live_check.tasks.emails import ping
from live_check.tasks.reports import yearly


def capture(call):
    try:
        return call()
    except Exception as error:
        return f"{{type(error).__name__}}: {{error}}"


answer = {{
    "to each queue": {{name: [ping.apply_async(queue=name).id for _ in range(5)] for name in {list(QUEUES)}}},
    "without a queue": yearly.delay().id,
    "result": capture(lambda: ping.apply_async(["back"], ignore_result=False).get(timeout=20)),
}}
started = time.monotonic()
answer["to an unknown queue"] = capture(lambda: ping.apply_async(queue="misspelt").id)
answer["seconds"] = time.monotonic() - started
"""

# A task that runs until a test writes to a pipe.
BLOCKING_TASK = """

@shared_task
def hold(pipe: str) -> None:
    with open(pipe) as released:
        print("holding", pipe, flush=True)
        released.read(1)
"""


def live_variants() -> list[Variant]:
    """Return variants in which each pair of answers to the questions about messages occurs."""
    names = [
        name for name in crossed_questions() if name in {"framework", "broker", "result_backend", "beat_scheduler"}
    ]
    return [variant(answers) for answers in cover_pairs(list(filter(is_supported, combinations(names))))]


@pytest.fixture(
    scope="module",
    # All tests of a variant share its workers, so they run in one process.
    params=[
        pytest.param(each, id=str(each), marks=pytest.mark.xdist_group(f"live-{each}")) for each in live_variants()
    ],
)
def project(request: pytest.FixtureRequest, bake: Bakery, tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """Return a copy of the variant's project with a blocking task on each queue."""
    baked = bake(**request.param.answers, **ANSWERS, examples=False).copy_to(tmp_path_factory.mktemp("live"))
    for queue in QUEUES:
        baked.append(f"tasks/{queue.replace('-', '_')}.py", BLOCKING_TASK)
    return baked


@pytest.fixture(scope="module")
def variables(
    project: BakedProject,
    servers: Servers,
    environment: Environment,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[], dict[str, str]]:
    """Return a function that returns environment variables for the servers, with new databases and queues."""
    migrated = tmp_path_factory.mktemp("migrated") / "db.sqlite3"

    def create_variables() -> dict[str, str]:
        named = servers.variables(project)
        if project.answers["framework"] == "django":
            named["DJANGO_SETTINGS_MODULE"] = "live_check.settings.development"
            if not migrated.exists():
                first = named | {"DATABASE_URL": f"sqlite:///{migrated}"}
                project.run("python", "manage.py", "migrate", "--no-input", environment=environment, variables=first)
            database = tmp_path_factory.mktemp("database") / "db.sqlite3"
            shutil.copy(migrated, database)
            named["DATABASE_URL"] = f"sqlite:///{database}"
        return named

    return create_variables


@pytest.fixture(scope="module")
def service(
    project: BakedProject, environment: Environment, variables: Callable[[], dict[str, str]]
) -> Iterator[Service]:
    """Run all workers and beat of the variant."""
    with Service(project, environment, variables()) as running:
        running.start_all()
        yield running


@pytest.fixture(scope="module")
def outcomes(service: Service) -> dict[str, Any]:
    """Return the outcomes of all ways to publish, from one program, because Celery's import takes half a second."""
    answers: dict[str, Any] = service.run_python(PUBLISHER)
    return answers


@pytest.fixture(scope="module")
def separate_variables(variables: Callable[[], dict[str, str]]) -> dict[str, str]:
    """Return environment variables for other databases and queues than those of `service`."""
    return variables()


@pytest.fixture
def idle_service(
    project: BakedProject, environment: Environment, separate_variables: dict[str, str]
) -> Iterator[Service]:
    """Return a service without processes."""
    with Service(project, environment, separate_variables) as service:
        yield service


def test_each_queue_has_a_separate_worker(project: BakedProject) -> None:
    words = [command for command in read_commands(project).values() if get_queue(command)]

    assert {get_queue(command): command[command.index("-P") + 1] for command in words} == QUEUES


def test_the_tasks_of_a_queue_run_only_on_its_worker(
    service: Service, outcomes: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    count(request, "live")
    ids: dict[str, list[str]] = outcomes["to each queue"]
    for queue in QUEUES:
        for task_id in ids[queue]:
            service.workers[queue].wait_for_line(
                lambda line, task_id=task_id: task_id in line and "succeeded" in line  # type: ignore[misc]
            )
    for queue, worker in service.workers.items():
        elsewhere = [task_id for name in QUEUES if name != queue for task_id in ids[name]]
        assert not [task_id for task_id in elsewhere if task_id in worker.output]


def test_a_task_without_a_queue_runs_on_the_queue_of_its_module(service: Service, outcomes: dict[str, Any]) -> None:
    task_id = outcomes["without a queue"]

    service.workers["reports"].wait_for_line(lambda line: task_id in line and "succeeded" in line)


def test_a_result_is_returned_if_a_result_backend_is_configured(
    outcomes: dict[str, Any], project: BakedProject
) -> None:
    if project.answers["result_backend"] == "none":
        assert "No result backend is configured" in outcomes["result"]
    else:
        assert outcomes["result"] == "back"


def test_an_unknown_queue_is_an_immediate_error(outcomes: dict[str, Any]) -> None:
    assert "misspelt" in outcomes["to an unknown queue"]
    assert outcomes["seconds"] < 10


def test_beat_publishes_a_job_to_its_queue_with_its_arguments(service: Service) -> None:
    assert service.beat is not None
    service.beat.wait_for_line("tick")

    service.workers["high-priority"].wait_for_line(
        lambda line: "live_check.tasks.high_priority.tick" in line and "succeeded" in line
    )
    assert "tick" not in service.workers["emails"].output
    assert "tick" not in service.workers["reports"].output


def test_running_processes_are_healthy_and_others_are_not(service: Service) -> None:
    for name in (*QUEUES, "beat"):
        assert service.check_health(name) == ""
    assert "does not exist" in service.check_health("nobody")


def test_running_tasks_finish_after_sigterm(idle_service: Service, project: BakedProject) -> None:
    pipes = {queue: project.path / f"pipe-{queue}" for queue in ("emails", "reports")}  # prefork and threads
    idle_service.start_workers(*pipes)
    workers = [idle_service.workers[queue] for queue in pipes]
    with contextlib.ExitStack() as stack:
        writers = []
        for pipe in pipes.values():
            os.mkfifo(pipe)
            # Opened for reading and writing, because a writer would wait for a reader.
            writers.append(os.open(pipe, os.O_RDWR))
            stack.callback(os.close, writers[-1])
        calls = ", ".join(f"{queue}.hold.delay({str(pipe)!r}).id" for queue, pipe in pipes.items())
        tasks: list[str] = idle_service.run_python(f"from live_check.tasks import emails, reports\nanswer = [{calls}]")
        for worker, pipe in zip(workers, pipes.values(), strict=True):
            worker.wait_for_line(f"holding {pipe}")

        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait_for_line(lambda line: "warm shutdown" in line.lower())
        with pytest.raises(subprocess.TimeoutExpired):
            workers[0].popen.wait(1)
        assert workers[1].popen.poll() is None
        for writer in writers:
            os.write(writer, b".")

        for worker, task_id in zip(workers, tasks, strict=True):
            assert worker.wait(30) == 0, worker.output
            assert any(task_id in line and "succeeded" in line for line in worker.lines), worker.output


def test_a_missing_or_invalid_variable_is_reported_in_one_line_at_the_start(
    idle_service: Service, project: BakedProject
) -> None:
    # All workers run the same program.
    words = {"worker" if get_queue(each) else "beat": each for each in read_commands(project).values()}
    invalid = {"worker": ("", "not set"), "beat": ("http://localhost", "must begin with")}
    processes = {
        name: idle_service.start(words[name], name, CELERY_BROKER_URL=value) for name, (value, _) in invalid.items()
    }

    for name, (_, message) in invalid.items():
        assert processes[name].wait(30) == 1
        (line,) = processes[name].lines
        assert line.startswith("CELERY_BROKER_URL: ")
        assert message in line
