"""Results in PostgreSQL: the creation of the tables, a restart of the server, and expiry."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.conftest import count
from tests.live.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.bakery import Bakery
    from tests.support.environments import Environment
    from tests.support.postgres import Postgres
    from tests.support.servers import Servers

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("database-results")]

# A task that runs until a test writes to a pipe.
BLOCKING_TASK = """

@shared_task(ignore_result=False)
def hold(pipe: str) -> str:
    with open(pipe) as released:
        print("holding", pipe, flush=True)
        return released.read(1)
"""
PING = "from stored.tasks.default import ping"


@pytest.fixture(scope="module")
def service(
    bake: Bakery,
    install_project: Callable[..., Environment],
    servers: Servers,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """Run a worker with eight processes, and a database without tables."""
    project = bake(
        project_name="Stored", result_backend="database", queues="default:8", beat_jobs="", examples=False
    ).copy_to(tmp_path_factory.mktemp("stored"))
    project.append("tasks/default.py", BLOCKING_TASK)
    with Service(project, install_project(project), servers.variables(project)) as running:
        running.start_worker("default")
        yield running


def test_many_processes_create_the_tables_in_parallel(service: Service, request: pytest.FixtureRequest) -> None:
    count(request, "live")
    answers = service.run_python(
        f"{PING}\nsent = [ping.delay(str(number)) for number in range(40)]\n"
        "answer = [result.get(timeout=60) for result in sent]"
    )

    assert answers == [str(number) for number in range(40)]
    assert "Traceback" not in service.workers["default"].output


def test_a_task_without_a_result_is_published_while_the_database_is_unreachable(
    service: Service, postgres_server: Postgres
) -> None:
    postgres_server.stop()
    try:
        task_id = service.run_python(f"{PING}\nanswer = ping.apply_async(ignore_result=True).id", timeout=10)
        service.workers["default"].wait_for_line(lambda line: task_id in line and "succeeded" in line)
    finally:
        postgres_server.start()


def test_a_result_survives_a_restart_of_the_database(service: Service, postgres_server: Postgres) -> None:
    pipe = service.project.path / "pipe"
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)
    task_id = service.run_python(f"from stored.tasks.default import hold\nanswer = hold.delay({str(pipe)!r}).id")
    worker = service.workers["default"]
    worker.wait_for_line(f"holding {pipe}")

    postgres_server.stop()
    os.write(writer, b"x")
    worker.wait_for_line("Failed operation _store_result. Retrying")
    postgres_server.start()

    result = service.run_python(
        f"from stored.celery_app import app\nanswer = app.AsyncResult({task_id!r}).get(timeout=60)"
    )
    os.close(writer)
    assert result == "x"


def test_the_cleanup_task_of_celery_deletes_expired_results(service: Service, postgres_server: Postgres) -> None:
    url = service.variables["CELERY_RESULT_BACKEND"]
    old = service.run_python(f"{PING}\nsent = ping.delay()\nsent.get(timeout=60)\nanswer = sent.id")
    postgres_server.query(url, "update celery_taskmeta set date_done = now() - interval '25 h'")
    new = service.run_python(f"{PING}\nsent = ping.delay()\nsent.get(timeout=60)\nanswer = sent.id")

    # The command in docs/operations.md. The task has no route, so it runs on the first queue.
    completed = service.project.run(
        *("celery", "-A", "stored.celery_app", "call", "celery.backend_cleanup"),
        environment=service.environment,
        variables=service.variables,
    )
    cleanup = completed.stdout.split()[-1]
    service.workers["default"].wait_for_line(lambda line: cleanup in line and "succeeded" in line)

    remaining = postgres_server.query(url, "select task_id from celery_taskmeta").split()
    assert new in remaining
    assert old not in remaining
