"""Chords and groups of tasks that ignore their results, on each result backend, also with redelivered parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.conftest import count
from tests.live.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.bakery import Bakery
    from tests.support.environments import Environment
    from tests.support.servers import Servers

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("chords")]

TASKS = """

@shared_task
def part(number: int) -> int:
    return number + 0


@shared_task(ignore_result=False)
def collect(numbers: list[object]) -> list[object]:
    return numbers
"""
IMPORTS = """
from celery import chain, chord, group
from chords.celery_app import app
from chords.tasks.default import collect, part
"""
TWICE = """
send = app.amqp.send_task_message
def send_twice(producer, name, message, **options):
    send(producer, name, message, **options)
    if name == part.name:
        send(producer, name, message, **options)
app.amqp.send_task_message = send_twice
"""


@pytest.fixture(
    scope="module",
    params=[("none", "redis"), ("fastapi", "database"), ("django", "database")],
    ids="-".join,
)
def service(
    request: pytest.FixtureRequest,
    bake: Bakery,
    install_project: Callable[..., Environment],
    servers: Servers,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Service]:
    """Run a worker with one process."""
    framework, results = request.param
    answers = {"framework": framework, "result_backend": results, "queues": "default:1", "beat_jobs": ""}
    project = bake(project_name="Chords", examples=False, **answers).copy_to(tmp_path_factory.mktemp("chords"))
    project.append("tasks/default.py", TASKS)
    variables = servers.variables(project)
    environment = install_project(project)
    if framework == "django":
        variables["DJANGO_SETTINGS_MODULE"] = "chords.settings.development"
        project.run("python", "manage.py", "migrate", "--no-input", environment=environment, variables=variables)
    with Service(project, environment, variables) as running:
        running.start_worker("default")
        yield running


def test_chords_of_tasks_without_results_call_their_callbacks(service: Service, request: pytest.FixtureRequest) -> None:
    count(request, "live")
    answers = service.run_python(
        f"{IMPORTS}\nheaders = [part.s(0), part.s(1)], [part.s(0), chain(part.s(1), part.si(2))], \\\n"
        "    [part.s(0), group(part.s(1), part.s(2))], [part.s(0), chord([part.s(1), part.s(2)], part.si(3))]\n"
        "sent = [chord(header, collect.s()).delay() for header in headers]\n"
        "answer = [sorted(result.get(timeout=30)) for result in sent]"
    )

    assert answers == [[0, 1], [0, 2], [0, 1, 2], [0, 3]]


def test_a_group_returns_its_results(service: Service) -> None:
    assert service.run_python(f"{IMPORTS}\nanswer = group(part.s(n) for n in range(2)).delay().get(timeout=20)") == [
        0,
        1,
    ]


def test_a_chord_ends_when_a_chain_in_it_fails(service: Service) -> None:
    header = "[part.s(0), chain(part.s('no number'), part.si(1))]"
    result = service.run_python(
        f"{IMPORTS}\nsent = chord({header}, collect.s()).delay()\n"
        "sent.get(timeout=20, propagate=False)\nanswer = sent.state"
    )

    assert result == "FAILURE"


def test_a_part_that_is_delivered_twice_counts_once(service: Service) -> None:
    sent, result = service.run_python(
        f"{IMPORTS}{TWICE}\nsent = chord([part.s(n) for n in range(3)], collect.s()).delay()\n"
        "answer = [sent.id, sent.get(timeout=20)]"
    )
    # The only process runs this task after all callbacks.
    last = service.run_python(f"{IMPORTS}\nanswer = part.delay(9).id")
    worker = service.workers["default"]
    worker.wait_for_line(lambda line: last in line and "task succeeded" in line)

    assert result == [0, 1, 2]
    assert sum(sent in line and "task succeeded" in line for line in worker.output.splitlines()) == 1
