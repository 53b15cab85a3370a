"""What each variant does on its real broker, started by the commands of its own compose.yaml."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import count
from tests.live.service import Service, commands, queue_of
from tests.support.variants import Variant, combinations, crossed, every_two, supported, variant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.bakery import Bakery
    from tests.support.environments import Environment
    from tests.support.project import BakedProject
    from tests.support.servers import Servers

pytestmark = pytest.mark.slow

# Prefork and threads, a dash in a name, a job a second on a queue that is not the first.
QUEUES = {"emails": "prefork", "high-priority": "prefork", "reports": "threads"}
ANSWERS = {
    "project_name": "Live Check",
    "queues": "emails:2, high-priority:1, reports:2@threads",
    "beat_jobs": "tick(7, label='live') = every 1s -> high-priority; yearly = 0 0 1 1 * -> reports",
}
SENDER = f"""
import time

from live_check.tasks.emails import ping
from live_check.tasks.reports import yearly


def heard(send):
    try:
        return send()
    except Exception as error:
        return f"{{type(error).__name__}}: {{error}}"


answer = {{
    "to each queue": {{name: [ping.apply_async(queue=name).id for _ in range(5)] for name in {list(QUEUES)}}},
    "to none": yearly.delay().id,
    "result": heard(lambda: ping.apply_async(["back"], ignore_result=False).get(timeout=20)),
}}
started = time.monotonic()
answer["to a queue that does not exist"] = heard(lambda: ping.apply_async(queue="misspelt").id)
answer["seconds"] = time.monotonic() - started
"""

# A task that runs until a test writes to a pipe.
HELD_TASK = """

@shared_task
def hold(pipe: str) -> None:
    with open(pipe) as released:
        print("holding", pipe, flush=True)
        released.read(1)
"""


def live_variants() -> list[Variant]:
    """What decides how messages travel, so combined that every two answers meet; examples are not run here."""
    names = [name for name in crossed() if name in {"framework", "broker", "result_backend", "beat_scheduler"}]
    return [variant(answers) for answers in every_two(list(filter(supported, combinations(names))))]


@pytest.fixture(
    scope="module",
    # All tests of a variant share its workers, so they run in one process.
    params=[
        pytest.param(each, id=str(each), marks=pytest.mark.xdist_group(f"live-{each}")) for each in live_variants()
    ],
)
def project(request: pytest.FixtureRequest, bake: Bakery, tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """The variant, in a copy of its own, with a task that tests can hold."""
    baked = bake(**request.param.answers, **ANSWERS, examples=False).copy_to(tmp_path_factory.mktemp("live"))
    for queue in QUEUES:
        module = baked.package / "tasks" / f"{queue.replace('-', '_')}.py"
        with module.open("a", encoding="utf-8") as file:
            file.write(HELD_TASK)
    return baked


@pytest.fixture(scope="module")
def variables(
    project: BakedProject,
    servers: Servers,
    environment: Environment,
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[], dict[str, str]]:
    """Call it for the variables that name this variant's servers; each call names empty databases and queues."""
    migrated = tmp_path_factory.mktemp("migrated") / "db.sqlite3"

    def name_servers() -> dict[str, str]:
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

    return name_servers


@pytest.fixture(scope="module")
def service(
    project: BakedProject, environment: Environment, variables: Callable[[], dict[str, str]]
) -> Iterator[Service]:
    """All workers and beat of this variant, running."""
    with Service(project, environment, variables()) as running:
        running.start_all()
        yield running


@pytest.fixture(scope="module")
def sent(service: Service) -> dict[str, Any]:
    """What somebody hears who sends tasks in every way; one program, since each imports Celery for half a second."""
    answers: dict[str, Any] = service.ask(SENDER)
    return answers


@pytest.fixture(scope="module")
def apart(variables: Callable[[], dict[str, str]]) -> dict[str, str]:
    """The variables that name other servers than that service's."""
    return variables()


@pytest.fixture
def stopped(project: BakedProject, environment: Environment, apart: dict[str, str]) -> Iterator[Service]:
    """The same on servers of its own, of which a test starts what it needs."""
    with Service(project, environment, apart) as waiting:
        yield waiting


def test_every_queue_has_a_worker_of_its_own(project: BakedProject) -> None:
    words = [command for command in commands(project).values() if queue_of(command)]

    assert {queue_of(command): command[command.index("-P") + 1] for command in words} == QUEUES


def test_a_queues_tasks_run_on_its_worker_only(
    service: Service, sent: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    count(request, "live")
    ids: dict[str, list[str]] = sent["to each queue"]
    for queue in QUEUES:
        for task_id in ids[queue]:
            service.workers[queue].wait_for_line(
                lambda line, task_id=task_id: task_id in line and "succeeded" in line  # type: ignore[misc]
            )
    for queue, worker in service.workers.items():
        elsewhere = [task_id for name in QUEUES if name != queue for task_id in ids[name]]
        assert not [task_id for task_id in elsewhere if task_id in worker.output]


def test_a_task_without_a_queue_runs_on_the_queue_of_its_module(service: Service, sent: dict[str, Any]) -> None:
    task_id = sent["to none"]

    service.workers["reports"].wait_for_line(lambda line: task_id in line and "succeeded" in line)


def test_a_result_comes_back_or_none_is_kept(sent: dict[str, Any], project: BakedProject) -> None:
    if project.answers["result_backend"] == "none":
        assert "No result backend is configured" in sent["result"]
    else:
        assert sent["result"] == "back"


def test_a_queue_that_does_not_exist_is_an_error_at_once(sent: dict[str, Any]) -> None:
    assert "misspelt" in sent["to a queue that does not exist"]
    assert sent["seconds"] < 10


def test_beat_fires_a_job_on_its_queue_with_its_arguments(service: Service) -> None:
    assert service.beat is not None
    service.beat.wait_for_line("tick")

    service.workers["high-priority"].wait_for_line(
        lambda line: "live_check.tasks.high_priority.tick" in line and "succeeded" in line
    )
    assert "tick" not in service.workers["emails"].output
    assert "tick" not in service.workers["reports"].output


def test_running_processes_are_healthy_and_others_are_not(service: Service) -> None:
    for name in (*QUEUES, "beat"):
        assert service.health(name) == ""
    assert "does not exist" in service.health("nobody")


def test_sigterm_lets_running_tasks_finish(stopped: Service, project: BakedProject) -> None:
    pipes = {queue: project.path / f"pipe-{queue}" for queue in ("emails", "reports")}  # processes, and threads
    stopped.start_workers(*pipes)
    workers = [stopped.workers[queue] for queue in pipes]
    with contextlib.ExitStack() as stack:
        writers = []
        for pipe in pipes.values():
            os.mkfifo(pipe)
            # Open for both, so that neither side waits for the other to open it.
            writers.append(os.open(pipe, os.O_RDWR))
            stack.callback(os.close, writers[-1])
        calls = ", ".join(f"{queue}.hold.delay({str(pipe)!r}).id" for queue, pipe in pipes.items())
        tasks: list[str] = stopped.ask(f"from live_check.tasks import emails, reports\nanswer = [{calls}]")
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


def test_a_missing_or_bad_variable_is_one_line_and_nothing_starts(stopped: Service, project: BakedProject) -> None:
    # The other workers are the same program as the last.
    words = {"worker" if queue_of(each) else "beat": each for each in commands(project).values()}
    wrong = {"worker": ("", "not set"), "beat": ("http://localhost", "must begin with")}
    processes = {name: stopped.start(words[name], name, CELERY_BROKER_URL=value) for name, (value, _) in wrong.items()}

    for name, (_, complaint) in wrong.items():
        assert processes[name].wait(30) == 1
        (line,) = processes[name].lines
        assert line.startswith("CELERY_BROKER_URL: ")
        assert complaint in line
