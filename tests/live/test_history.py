"""The extra `history` with real workers and beat: runs and pauses in PostgreSQL."""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import count
from tests.live.api import start_api
from tests.live.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.support.bakery import Bakery
    from tests.support.environments import Environment
    from tests.support.postgres import Postgres
    from tests.support.processes import Process
    from tests.support.servers import Servers

    Create = Callable[..., AbstractContextManager[Service]]

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("history")]

TASKS = '''

@shared_task(bind=True, retry_backoff=False, default_retry_delay=1)
def fail_once(self):
    """Fail, and succeed in the first retry."""
    if not self.request.retries:
        raise RetryableError("busy")


@shared_task
def fail(password):
    """Fail."""
    raise ValueError("broken")


@shared_task(max_retries=0)
def exit_process():
    """Kill the process of this run."""
    os.kill(os.getpid(), signal.SIGKILL)
'''
SKIPPED = "periodic task paused, not sent"
IMPORTS = "import os\nimport signal\n\nfrom recorded.errors import RetryableError\n"


@pytest.fixture(scope="module")
def create_service(
    bake: Bakery,
    install_project: Callable[..., Environment],
    servers: Servers,
    tmp_path_factory: pytest.TempPathFactory,
) -> Create:
    """Return a function that returns the service of a project with a broker, without processes."""

    @contextmanager
    def create(broker: str, **answers: str) -> Iterator[Service]:
        project = bake(
            project_name="Recorded",
            broker=broker,
            result_backend="database",
            queues="default:2, crawl:2@gevent",
            beat_jobs="tick = every 1s",
            examples=False,
            extras="history",
            **answers,
        ).copy_to(tmp_path_factory.mktemp("recorded"))
        module = project.package / "tasks/default.py"
        module.write_text(IMPORTS + module.read_text(encoding="utf-8") + TASKS, encoding="utf-8")
        schedule = project.package / "schedule.py"
        text = re.sub(r'"expires": \d+', '"expires": 3600', schedule.read_text(encoding="utf-8"))
        schedule.write_text(text, encoding="utf-8")
        with Service(project, install_project(project), servers.variables(project)) as service:
            service.variables["LOG_LEVEL"] = "INFO"
            yield service

    return create


@pytest.fixture(scope="module")
def service(create_service: Create, postgres_server: Postgres) -> Iterator[Service]:
    """Run a worker with two processes. It creates the table of the history."""
    with create_service("redis") as running:
        running.start_worker("default")
        url = running.variables["CELERY_RESULT_BACKEND"]
        running.wait_until(lambda: postgres_server.query(url, "select to_regclass('task_runs')") == "task_runs")
        yield running


def publish(service: Service, *calls: str) -> list[str]:
    """Publish tasks of the queue `default`, for example `ping.delay("hello")`. Return their ids."""
    code = f"from recorded.tasks.default import *\nanswer = [sent.id for sent in ({', '.join(calls)},)]"
    return list(service.run_python(code))


def wait_for_runs(service: Service, postgres: Postgres, task_id: str, number: int = 1) -> list[Any]:
    """Return the runs of a task, the oldest first, as soon as there are `number`."""
    url = service.variables["CELERY_RESULT_BACKEND"]
    query = f"select row_to_json(task_runs) from task_runs where task_id = '{task_id}' order by ended"  # noqa: S608
    service.wait_until(lambda: len(postgres.query(url, query).splitlines()) >= number)
    return [json.loads(line) for line in postgres.query(url, query).splitlines()]


def reports_failure(task_id: str, line: str) -> bool:
    """Return whether a log line reports the failure of a task."""
    return task_id in line and "task failed" in line


def test_the_runs_of_a_task_are_stored(
    service: Service, postgres_server: Postgres, request: pytest.FixtureRequest
) -> None:
    count(request, "live")
    calls = ("ping.delay('hello')", "fail_once.delay()", "fail.delay('s3cret')", "exit_process.delay()")
    sent = publish(service, *calls)

    (ping,) = wait_for_runs(service, postgres_server, sent[0])
    assert (ping["outcome"], ping["queue"], ping["arguments"]) == ("succeeded", "default", '{"text": "hello"}')
    assert ping["worker"].startswith("default@")
    assert ping["published"] <= ping["started"] <= ping["ended"]

    runs = wait_for_runs(service, postgres_server, sent[1], 2)
    assert [(run["outcome"], run["retries"]) for run in runs] == [("retried", 0), ("succeeded", 1)]
    assert runs[0]["error"] == "RetryableError('busy')"

    (failed,) = wait_for_runs(service, postgres_server, sent[2])
    assert (failed["outcome"], failed["error"]) == ("failed", "ValueError('broken')")
    assert json.loads(failed["arguments"]) == {"password": "[redacted]"}

    (lost,) = wait_for_runs(service, postgres_server, sent[3])
    assert lost["outcome"] == "lost"
    assert "SIGKILL" in lost["error"]


def test_an_outage_of_the_database_neither_fails_tasks_nor_loses_runs(
    service: Service, postgres_server: Postgres
) -> None:
    worker = service.workers["default"]
    postgres_server.stop()
    try:
        sent = publish(service, "fail.delay('x')", "fail.delay('y')")
        for task_id in sent:
            worker.wait_for_line(partial(reports_failure, task_id))
        worker.wait_for_line("history not stored")
    finally:
        postgres_server.start()
    worker.wait_for_line("history stored again")

    assert [len(wait_for_runs(service, postgres_server, task_id)) for task_id in sent] == [1, 1]
    assert worker.output.count("history not stored") == 1


def test_a_worker_that_stops_stores_its_last_runs(service: Service, postgres_server: Postgres) -> None:
    (task_id,) = publish(service, "fail.delay('x')")
    worker = service.workers["default"]
    worker.wait_for_line(partial(reports_failure, task_id))
    worker.terminate()
    worker.wait()

    assert len(wait_for_runs(service, postgres_server, task_id)) == 1
    command = ("python", "-m", "recorded.history", "list", "--outcome", "lost")
    listed = service.project.run(*command, environment=service.environment, variables=service.variables)
    assert "recorded.tasks.default.exit_process" in listed.stdout
    assert "Traceback" not in worker.output.partition("Warm shutdown")[2]


def control(service: Service, *arguments: str) -> str:
    """Run a command of `control`. Return its output."""
    command = ("python", "-m", "recorded.control", *arguments)
    completed = service.project.run(*command, environment=service.environment, variables=service.variables)
    return str(completed.stdout).strip()


def read_lengths(service: Service) -> dict[str, int]:
    """Return the number of ready messages of each queue."""
    code = "from recorded.celery_app import app\nfrom recorded.queue_lengths import get_queue_length\n"
    code += "connection = app.connection_for_read()\n"
    code += "answer = {name: get_queue_length(connection, name) for name in ('default', 'crawl')}"
    return dict(service.run_python(code))


def wait_until_sent(beat: Process) -> None:
    """Wait until beat sends the periodic task again. It also logs `Sending due task` before it skips a paused one."""

    def count_sent() -> int:
        return beat.output.count("Sending due task tick") - beat.output.count(SKIPPED)

    before = count_sent()
    beat.wait_for_line(lambda _: count_sent() > before + 2)


@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_pauses_survive_a_restart_and_lose_no_task(
    broker: str, create_service: Create, postgres_server: Postgres, request: pytest.FixtureRequest
) -> None:
    count(request, "live")
    with create_service(broker) as service:
        service.start_workers("default", "crawl")
        workers = service.workers
        control(service, "queues", "pause", "default", "crawl")
        for worker in workers.values():
            worker.wait_for_line("queue paused")
        inspect = "from recorded.celery_app import app\nanswer = app.control.inspect().active_queues()"
        assert list(service.run_python(inspect).values()) == [[], []]  # readiness reads them
        sent = publish(service, *(f"ping.apply_async(('x',), queue='{queue}')" for queue in ("default", "crawl") * 3))

        # A restarted worker consumes nothing while the database is down, and nothing that is paused afterwards.
        postgres_server.stop()
        try:
            for worker in workers.values():
                worker.terminate()
            for worker in workers.values():
                assert worker.wait() == 0
            service.start_workers("default", "crawl")
            for worker in workers.values():
                worker.wait_for_line("pauses not read")
        finally:
            postgres_server.start()
        for worker in workers.values():
            worker.wait_for_line("queue paused")
        assert read_lengths(service) == {"default": 3, "crawl": 3}

        # A restarted beat does not send a paused periodic task, "run now" does. The paused queue has all of them.
        service.beat = beat = service.start_beat("beat")
        beat.wait_for_line("Sending due task tick")
        control(service, "schedule", "pause", "tick")
        beat.wait_for_line(SKIPPED)
        number = read_lengths(service)["default"]
        assert number > 3
        beat.terminate()
        beat.wait()
        service.beat = beat = service.start_beat("beat")
        beat.wait_for_line(lambda _: beat.output.count(SKIPPED) == 3)
        run_now = control(service, "schedule", "run", "tick").splitlines()[-1]
        assert read_lengths(service)["default"] == number + 1
        control(service, "schedule", "resume", "tick")
        wait_until_sent(beat)
        beat.terminate()

        control(service, "queues", "resume", "default", "crawl")
        assert [len(wait_for_runs(service, postgres_server, task_id)) for task_id in (*sent, run_now)] == [1] * 7
        total = "select count(*), count(distinct task_id) from task_runs"
        runs, tasks = postgres_server.query(service.variables["CELERY_RESULT_BACKEND"], total).split("|")
        assert runs == tasks


def test_a_queue_and_a_redbeat_task_are_paused_and_resumed_by_http(
    create_service: Create, postgres_server: Postgres, request: pytest.FixtureRequest
) -> None:
    count(request, "live")
    with create_service("sqs", framework="fastapi", beat_scheduler="redbeat") as service:
        worker = service.start_worker("default")
        api = start_api(service)
        service.beat = beat = service.start_beat("beat")
        assert api.request("POST", "/queues/default/pause").status == 204
        worker.wait_for_line("queue paused")
        assert api.request("POST", "/schedule/tick/pause").status == 204
        beat.wait_for_line(SKIPPED)
        submitted = api.submit("recorded.tasks.default.ping", text="x")
        run_now = api.request("POST", "/schedule/tick/run")
        assert run_now.status == 202
        paused = {queue["name"]: queue["paused"] for queue in api.request("GET", "/queues").json}
        assert paused == {"default": True, "crawl": False}

        assert api.request("POST", "/queues/default/resume").status == 204
        worker.wait_for_line("queue resumed")
        for task_id in (submitted, run_now.json["id"]):
            assert len(wait_for_runs(service, postgres_server, task_id)) == 1
        assert api.request("POST", "/schedule/tick/resume").status == 204
        wait_until_sent(beat)
