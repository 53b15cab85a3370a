"""Results in PostgreSQL: who makes the tables, what a restart of the server costs, and what expires."""

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

# A task that ends when a test writes to a pipe.
HELD_TASK = """

@shared_task(ignore_result=False)
def hold(pipe: str) -> str:
    with open(pipe) as released:
        print("holding", pipe, flush=True)
        return released.read(1)
"""
PING = "from stored.tasks.default import ping"


@pytest.fixture(scope="module")
def service(
    bake: Bakery, installed: Callable[..., Environment], servers: Servers, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """A worker with eight processes, and a database without a table."""
    project = bake(
        project_name="Stored", result_backend="database", queues="default:8", beat_jobs="", examples=False
    ).copy_to(tmp_path_factory.mktemp("stored"))
    with (project.package / "tasks" / "default.py").open("a", encoding="utf-8") as module:
        module.write(HELD_TASK)
    with Service(project, installed(project), servers.variables(project)) as running:
        running.start_worker("default")
        yield running


def test_many_processes_may_need_the_tables_first(service: Service, request: pytest.FixtureRequest) -> None:
    count(request, "live")
    answers = service.ask(
        f"{PING}\nsent = [ping.delay(str(number)) for number in range(40)]\n"
        "answer = [result.get(timeout=60) for result in sent]"
    )

    assert answers == [str(number) for number in range(40)]
    assert "Traceback" not in service.workers["default"].output


def test_a_task_without_a_result_is_sent_while_the_database_is_away(service: Service, postgres: Postgres) -> None:
    postgres.stop()
    try:
        task_id = service.ask(f"{PING}\nanswer = ping.apply_async(ignore_result=True).id", timeout=10)
        service.workers["default"].wait_for_line(lambda line: task_id in line and "succeeded" in line)
    finally:
        postgres.start()


def test_a_result_outlasts_a_restart_of_the_database(service: Service, postgres: Postgres) -> None:
    pipe = service.project.path / "pipe"
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)
    task_id = service.ask(f"from stored.tasks.default import hold\nanswer = hold.delay({str(pipe)!r}).id")
    worker = service.workers["default"]
    worker.wait_for_line(f"holding {pipe}")

    postgres.stop()
    os.write(writer, b"x")
    worker.wait_for_line("Failed operation _store_result. Retrying")
    postgres.start()

    got = service.ask(f"from stored.celery_app import app\nanswer = app.AsyncResult({task_id!r}).get(timeout=60)")
    os.close(writer)
    assert got == "x"


def test_what_has_expired_is_deleted_by_celerys_own_task(service: Service, postgres: Postgres) -> None:
    url = service.variables["CELERY_RESULT_BACKEND"]
    old = service.ask(f"{PING}\nsent = ping.delay()\nsent.get(timeout=60)\nanswer = sent.id")
    postgres.query(url, "update celery_taskmeta set date_done = now() - interval '25 h'")
    kept = service.ask(f"{PING}\nsent = ping.delay()\nsent.get(timeout=60)\nanswer = sent.id")

    # Sent as the README says; it has no route, so that it shows that the first queue takes it.
    ran = service.project.run(
        *("celery", "-A", "stored.celery_app", "call", "celery.backend_cleanup"),
        environment=service.environment,
        variables=service.variables,
    )
    cleanup = ran.stdout.split()[-1]
    service.workers["default"].wait_for_line(lambda line: cleanup in line and "succeeded" in line)

    left = postgres.query(url, "select task_id from celery_taskmeta").split()
    assert kept in left
    assert old not in left
