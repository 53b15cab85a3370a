"""An outage of the result backend while tasks are queued, run and end."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.conftest import count
from tests.live.service import Service
from tests.support.proxy import Proxy, get_port, route_through

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.bakery import Bakery
    from tests.support.environments import Environment
    from tests.support.project import BakedProject
    from tests.support.servers import Servers

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("result-outage")]

TASKS = """

@shared_task
def hold(pipe: str) -> None:
    with open(pipe) as released:
        print("holding", pipe, flush=True)
        released.read(1)


@shared_task(ignore_result=False)
def keep(number: int) -> int:
    print("ran", number, flush=True)
    return number
"""


@pytest.fixture(scope="module", params=["redis", "rabbitmq"])
def project(request: pytest.FixtureRequest, bake: Bakery, tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """Return a project with one process per worker."""
    answers = {"broker": request.param, "result_backend": "redis", "queues": "default:1", "beat_jobs": ""}
    baked = bake(project_name="Kept", examples=False, **answers).copy_to(tmp_path_factory.mktemp("kept"))
    baked.append("tasks/default.py", TASKS)
    return baked


@pytest.fixture
def outage(
    project: BakedProject, environment: Environment, servers: Servers, tmp_path: Path, request: pytest.FixtureRequest
) -> Iterator[tuple[Service, Proxy, list[str]]]:
    """Return a worker without its result backend, the proxy of the backend, and the ids of three queued tasks."""
    variables = servers.variables(project)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)
    url = variables["CELERY_RESULT_BACKEND"]
    with Proxy(get_port(url)) as proxy, Service(project, environment, variables) as service:
        service.variables = variables | {"CELERY_RESULT_BACKEND": route_through(proxy, url)} | request.param
        service.start_worker("default")
        service.variables = variables
        tasks = service.run_python(
            "from kept.tasks.default import hold, keep\n"
            f"hold.delay({str(pipe)!r})\n"
            "answer = [keep.delay(number).id for number in range(3)]"
        )
        service.workers["default"].wait_for_line(f"holding {pipe}")
        proxy.refuse()
        os.write(writer, b".")
        os.close(writer)
        yield service, proxy, tasks


def list_dead_letters(service: Service) -> str:
    """Return the output of the command for dead letters."""
    completed = service.project.run(
        *("python", "-m", "kept.dead_letters", "list"), environment=service.environment, variables=service.variables
    )
    return completed.stdout


@pytest.mark.parametrize("outage", [{}], indirect=True)
def test_tasks_run_during_an_outage_and_their_results_are_stored_afterwards(
    outage: tuple[Service, Proxy, list[str]], request: pytest.FixtureRequest
) -> None:
    count(request, "live")
    service, proxy, tasks = outage
    worker = service.workers["default"]
    worker.wait_for_line("ran 0")
    worker.wait_for_line("Failed operation _store_result. Retrying")

    proxy.restore()

    code = f"from kept.celery_app import app\nanswer = [app.AsyncResult(each).get(timeout=30) for each in {tasks}]"
    assert service.run_python(code) == [0, 1, 2]
    assert list_dead_letters(service) == ""
    assert [worker.lines.count(f"ran {number}") for number in range(3)] == [1, 1, 1]


@pytest.mark.parametrize("project", ["rabbitmq"], indirect=True)
@pytest.mark.parametrize("outage", [{"CELERY_PUBLISH_TIMEOUT": "1"}], indirect=True)
def test_a_result_that_cannot_be_stored_is_logged_as_lost(outage: tuple[Service, Proxy, list[str]]) -> None:
    service, _, tasks = outage
    worker = service.workers["default"]
    worker.wait_for_line("ran 0")
    worker.wait_for_line(lambda line: "result lost" in line and tasks[0] in line and "SUCCESS" in line)
    worker.wait_for_line(lambda line: tasks[0] in line and "task succeeded" in line)
    assert list_dead_letters(service) == ""
