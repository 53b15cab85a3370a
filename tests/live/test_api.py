"""The HTTP API of each variant that has one, in front of real workers on its real broker."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.conftest import count
from tests.live.api import KEY, Api, command, start_api
from tests.live.service import Service
from tests.support.brokers import redis_server
from tests.support.gate import Gate, port_of, through
from tests.support.processes import Process, free_port, wait_for_port
from tests.support.variants import variant

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.bakery import Bakery
    from tests.support.environments import Environment
    from tests.support.project import BakedProject
    from tests.support.servers import Servers

pytestmark = pytest.mark.slow

ANSWERS = {
    "project_name": "Api Check",
    "queues": "emails:2, reports:1@threads",
    "beat_jobs": "purge(30, dry_run=False) = @daily -> reports",
}
PING = "api_check.tasks.emails.ping"
PURGE = "api_check.tasks.reports.purge"
COUNT_DOWN = "api_check.examples.stopping.count_down"
BOUND = 2.0
"""Seconds in which the API says that it cannot serve."""

# Those whose workers can be asked; beat does not matter here, so one scheduler is enough.
VARIANTS = [
    variant({"framework": "fastapi", "broker": broker, "result_backend": results})
    for broker in ("redis", "rabbitmq")
    for results in ("redis", "none")
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test the variants that it is about."""
    if "project" not in metafunc.fixturenames:
        return
    about = [
        each
        for each in VARIANTS
        if not ("with_results" in metafunc.fixturenames and each.answers["result_backend"] == "none")
        and not ("on_redis" in metafunc.fixturenames and each.answers["broker"] != "redis")
    ]
    # All tests of a variant share its workers, so they run in one process.
    params = [pytest.param(each, id=str(each), marks=pytest.mark.xdist_group(f"api-{each}")) for each in about]
    metafunc.parametrize("project", params, indirect=True, scope="module")


@pytest.fixture(scope="module")
def project(request: pytest.FixtureRequest, bake: Bakery, tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """The variant, in a copy of its own."""
    return bake(**request.param.answers, **ANSWERS).copy_to(tmp_path_factory.mktemp("api"))


@pytest.fixture(scope="module")
def results(project: BakedProject) -> bool:
    """Whether results are kept."""
    return project.answers["result_backend"] != "none"


@pytest.fixture
def with_results() -> None:
    """For a test of variants that keep results."""


@pytest.fixture
def on_redis() -> None:
    """For a test of variants whose broker is Redis."""


@pytest.fixture(scope="module")
def variables(project: BakedProject, servers: Servers) -> Callable[[], dict[str, str]]:
    """Call it for the variables that name this variant's servers; each call names empty databases and queues."""
    return lambda: servers.variables(project)


@pytest.fixture(scope="module")
def service(
    project: BakedProject, environment: Environment, variables: Callable[[], dict[str, str]]
) -> Iterator[Service]:
    """Both workers of this variant, running."""
    with Service(project, environment, variables()) as running:
        running.start_workers("emails", "reports")
        yield running


@pytest.fixture(scope="module")
def api(service: Service) -> Api:
    """The API in front of them."""
    return start_api(service)


@pytest.fixture
def alone(
    project: BakedProject, environment: Environment, variables: Callable[[], dict[str, str]]
) -> Iterator[Service]:
    """Servers of its own, on which a test starts what it needs."""
    with Service(project, environment, variables()) as waiting:
        yield waiting


def wait_for_state(api: Api, task_id: str, *states: str) -> dict[str, Any]:
    """The task's status, once it has one of these states.

    Raises:
        AssertionError: it has none within 30 s.
    """
    until = time.monotonic() + 30
    while True:
        status: dict[str, Any] = api.ask("GET", f"/tasks/{task_id}").json
        if status["state"] in states:
            return status
        assert time.monotonic() < until, f"{status} is none of {states}"
        time.sleep(0.1)


def test_it_is_ready_with_its_workers_and_only_then(
    api: Api, project: BakedProject, environment: Environment, results: bool
) -> None:
    ready = api.ask("GET", "/health/ready")

    servers = dict.fromkeys(["broker", "result_backend"] if results else ["broker"], True)
    workers = {"emails": True, "reports": True}
    assert (ready.status, ready.json) == (200, {"ready": True, "servers": servers, "workers": workers})
    assert api.ask("GET", "/queues").json[0]["workers"] == [f"emails@{socket.gethostname()}"]
    # The health check of compose.yaml.
    for port, status in ((api.port, 0), (free_port(), 1)):
        probe = ["python", "-m", "api_check.probe", str(port)]
        assert project.run(*probe, environment=environment, check=False).returncode == status


def test_without_workers_it_is_live_but_not_ready(alone: Service) -> None:
    api = start_api(alone)

    assert api.ask("GET", "/health/live").status == 200
    ready = api.ask("GET", "/health/ready")
    assert ready.status == 503
    assert ready.json["servers"]["broker"]
    assert not ready.json["workers"]["emails"]


def test_a_submitted_task_runs_with_its_arguments_and_the_request_s_id(
    api: Api, service: Service, results: bool, request: pytest.FixtureRequest
) -> None:
    count(request, "live")
    sent = {"task": PURGE, "arguments": {"number": 30, "dry_run": True}}
    answer = api.ask("POST", "/tasks", sent, X_Request_ID="from-the-test")

    assert answer.status == 202
    assert answer.headers["X-Request-ID"] == "from-the-test"
    task_id = answer.json["id"]
    line = service.workers["reports"].wait_for_line(lambda said: task_id in said and "task not implemented" in said)
    assert "request_id=from-the-test" in line
    assert answer.headers["Location"] == (f"/tasks/{task_id}" if results else None)
    if not results:
        assert api.ask("GET", f"/tasks/{task_id}").status == 404


@pytest.mark.usefixtures("with_results")
def test_its_result_can_be_had_and_an_unknown_id_is_404(api: Api) -> None:
    status = wait_for_state(api, api.submit(PING, text="hello"), "SUCCESS")

    assert (status["task"], status["result"]) == (PING, "hello")
    assert api.ask("GET", f"/tasks/{uuid.uuid4()}").status == 404


@pytest.mark.usefixtures("with_results")
def test_a_repeated_submission_runs_once(api: Api, service: Service) -> None:
    sent = {"task": PURGE, "arguments": {"number": 7, "dry_run": True}}
    answers = [api.ask("POST", "/tasks", sent, Idempotency_Key="order-1") for _ in range(3)]

    (task_id,) = {answer.json["id"] for answer in answers}
    wait_for_state(api, task_id, "SUCCESS")
    last = api.submit(PURGE, number=8, dry_run=True)
    wait_for_state(api, last, "SUCCESS")
    runs = [line for line in service.workers["reports"].lines if task_id in line and "task not implemented" in line]
    assert len(runs) == 1
    reused = api.ask("POST", "/tasks", {"task": PING}, Idempotency_Key="order-1")
    assert (reused.status, reused.headers["Content-Type"]) == (409, "application/problem+json")


@pytest.mark.usefixtures("with_results")
def test_its_progress_is_streamed_as_it_happens(api: Api) -> None:
    task_id = api.submit(COUNT_DOWN, seconds=3)
    with socket.create_connection(("127.0.0.1", api.port), timeout=30) as connection:
        ask = f"GET /tasks/{task_id}/events HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\n\r\n"
        connection.sendall(ask.encode())
        arrived: dict[str, float] = {}
        said = b""
        while b"event: end" not in said or not said.endswith(b"0\r\n\r\n"):
            piece = connection.recv(65536)
            assert piece, said
            said += piece
            for what in ('"left":3', '"left":2', '"left":1', "lift-off"):
                if what.encode() in said:
                    arrived.setdefault(what, time.monotonic())

    assert b"text/event-stream" in said
    assert list(arrived) == ['"left":3', '"left":2', '"left":1', "lift-off"]
    assert arrived["lift-off"] - arrived['"left":3'] > 1.5


@pytest.mark.usefixtures("with_results")
def test_who_leaves_a_stream_leaves_nothing_behind(api: Api) -> None:
    task_id = api.submit(COUNT_DOWN, seconds=20)
    with socket.create_connection(("127.0.0.1", api.port), timeout=30) as connection:
        connection.sendall(f"GET /tasks/{task_id}/events HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\n\r\n".encode())
        assert connection.recv(65536)

    # The line is written when the request has ended.
    api.process.wait_for_line(lambda line: f"/tasks/{task_id}/events" in line, timeout=5)
    api.ask("DELETE", f"/tasks/{task_id}")


@pytest.mark.usefixtures("with_results")
def test_a_running_task_stops_when_it_is_cancelled(api: Api) -> None:
    task_id = api.submit(COUNT_DOWN, seconds=60)
    wait_for_state(api, task_id, "PROGRESS")

    assert api.ask("DELETE", f"/tasks/{task_id}").status == 202

    assert wait_for_state(api, task_id, "REVOKED", "SUCCESS")["state"] == "REVOKED"


@pytest.mark.usefixtures("with_results")
def test_a_cancelled_task_does_not_start_even_if_no_worker_heard_of_it(alone: Service) -> None:
    api = start_api(alone)
    cancelled, wanted = api.submit(PURGE, number=1, dry_run=True), api.submit(PURGE, number=2, dry_run=True)
    assert api.ask("DELETE", f"/tasks/{cancelled}").status == 202

    worker = alone.start_worker("reports")

    assert wait_for_state(api, wanted, "SUCCESS")
    assert wait_for_state(api, cancelled, "REVOKED")["task"] == PURGE
    assert not [line for line in worker.lines if cancelled in line and "task not implemented" in line]


def assert_unavailable(api: Api, task_id: str | None) -> None:
    """Every endpoint that needs a server that hangs says so in time, and liveness does not care."""
    asked = [("POST", "/tasks"), ("GET", "/queues"), ("GET", "/health/ready")]
    if task_id:
        asked += [("GET", f"/tasks/{task_id}"), ("DELETE", f"/tasks/{task_id}"), ("GET", f"/tasks/{task_id}/events")]
    for method, path in asked:
        answer = api.ask(method, path, {"task": PING} if method == "POST" else None)
        assert (answer.status, answer.seconds < BOUND) == (503, True), (method, path, answer)
        if path != "/health/ready":
            assert answer.headers["Retry-After"]
            assert answer.headers["Content-Type"] == "application/problem+json"


def assert_many_get_an_answer(api: Api, many: int = 60) -> None:
    """However many ask at the same time, each has its answer in time, and liveness answers meanwhile."""
    answers = []
    callers = [
        threading.Thread(target=lambda: answers.append(api.ask("POST", "/tasks", {"task": PING}))) for _ in range(many)
    ]
    for caller in callers:
        caller.start()
    while any(caller.is_alive() for caller in callers):
        live = api.ask("GET", "/health/live")
        assert (live.status, live.seconds < 1) == (200, True)
    assert {answer.status for answer in answers} == {503}
    # Besides the deadline, a busy machine has to get round to all of them.
    assert max(answer.seconds for answer in answers) < BOUND + 1


def wait_until_it_serves(api: Api) -> None:
    until = time.monotonic() + 15
    while api.ask("POST", "/tasks", {"task": PING}).status != 202:
        assert time.monotonic() < until, "the broker is back, and the API does not use it"
        time.sleep(0.2)


def test_a_broker_that_accepts_and_never_answers_is_503_in_time(alone: Service) -> None:
    broker = alone.variables["CELERY_BROKER_URL"]
    with Gate(port_of(broker)) as gate:
        api = start_api(alone, CELERY_BROKER_URL=through(gate, broker))
        api.ask("POST", "/tasks", {"task": PING})
        gate.shut()

        assert_unavailable(api, None)
        assert_many_get_an_answer(api)

        gate.open()
        wait_until_it_serves(api)
        assert "Traceback" not in api.process.output


@pytest.mark.usefixtures("on_redis")
def test_a_stopped_redis_is_503_in_time_and_a_dead_one_too(
    project: BakedProject, environment: Environment, results: bool, tmp_path: Path
) -> None:
    port = free_port()
    server = [redis_server() or "", "--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path), "--save", ""]
    named = {"LOG_FORMAT": "console", "CELERY_BROKER_URL": f"redis://127.0.0.1:{port}/0"}
    if results:
        named["CELERY_RESULT_BACKEND"] = f"redis://127.0.0.1:{port}/1"
    with Process(server, cwd=tmp_path, env={}) as redis, Service(project, environment, named) as alone:
        wait_for_port(port, redis.popen, 10)
        api = start_api(alone)
        task_id = api.submit(PING) if results else None

        redis.popen.send_signal(signal.SIGSTOP)
        assert_unavailable(api, task_id)
        assert_many_get_an_answer(api)
        redis.popen.send_signal(signal.SIGCONT)
        wait_until_it_serves(api)

        redis.kill()
        assert_unavailable(api, task_id)
        with Process(server, cwd=tmp_path, env={}) as another:
            wait_for_port(port, another.popen, 10)
            wait_until_it_serves(api)
        assert "Traceback" not in api.process.output


def test_without_an_api_key_it_says_so_in_one_line(alone: Service, project: BakedProject) -> None:
    process = alone.start(command(project, free_port()), "api", API_KEY="")

    assert process.wait(30) == 1
    (line,) = process.lines
    assert line.startswith("API_KEY: not set.")


def test_a_key_is_replaced_while_both_are_valid(alone: Service) -> None:
    api = start_api(alone, API_KEYS=f"shop:{'a' * 16},shop:{'b' * 16}")

    for key in (KEY, "a" * 16, "b" * 16):
        assert api.ask("GET", "/task-types", X_API_Key=key).status == 200
    assert api.ask("GET", "/task-types", X_API_Key="c" * 16).status == 401
    api.process.wait_for_line(lambda line: "client=shop" in line, timeout=5)


def test_it_stops_in_time_although_somebody_listens(alone: Service, results: bool) -> None:
    api = start_api(alone)
    with contextlib.ExitStack() as stack:
        if results:
            listener = stack.enter_context(socket.create_connection(("127.0.0.1", api.port), timeout=30))
            path = f"/tasks/{api.submit(PING)}/events"
            listener.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\n\r\n".encode())
            assert listener.recv(65536)
        api.process.terminate()

        # Uvicorn ends by the signal that it was sent, after an orderly end.
        assert api.process.wait(12) == -signal.SIGTERM
        assert "Application shutdown complete" in api.process.output
