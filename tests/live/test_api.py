"""The HTTP API with real workers and brokers."""

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
from tests.live.api import KEY, Api, read_api_command, start_api
from tests.live.service import Service
from tests.support.brokers import find_redis_server
from tests.support.processes import Process, free_port, wait_for_port
from tests.support.proxy import Proxy, get_port, route_through
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
DEADLINE = 2.0
"""Seconds until the API returns 503 if a server does not respond."""

# Brokers with remote control. The API does not depend on the scheduler.
VARIANTS = [
    variant({"framework": "fastapi", "broker": broker, "result_backend": results})
    for broker in ("redis", "rabbitmq")
    for results in ("redis", "none")
]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize each test with the variants that meet its requirements."""
    if "project" not in metafunc.fixturenames:
        return
    variants = [
        each
        for each in VARIANTS
        if not ("requires_results" in metafunc.fixturenames and each.answers["result_backend"] == "none")
        and not ("requires_redis" in metafunc.fixturenames and each.answers["broker"] != "redis")
    ]
    # All tests of a variant share its workers, so they run in one process.
    params = [pytest.param(each, id=str(each), marks=pytest.mark.xdist_group(f"api-{each}")) for each in variants]
    metafunc.parametrize("project", params, indirect=True, scope="module")


@pytest.fixture(scope="module")
def project(request: pytest.FixtureRequest, bake: Bakery, tmp_path_factory: pytest.TempPathFactory) -> BakedProject:
    """Return a copy of the variant's project."""
    return bake(**request.param.answers, **ANSWERS).copy_to(tmp_path_factory.mktemp("api"))


@pytest.fixture(scope="module")
def stores_results(project: BakedProject) -> bool:
    """Return whether the variant has a result backend."""
    return project.answers["result_backend"] != "none"


@pytest.fixture
def requires_results() -> None:
    """Select the variants with a result backend."""


@pytest.fixture
def requires_redis() -> None:
    """Select the variants on Redis."""


@pytest.fixture(scope="module")
def variables(project: BakedProject, servers: Servers) -> Callable[[], dict[str, str]]:
    """Return a function that returns environment variables for the servers, with new databases and queues."""
    return lambda: servers.variables(project)


@pytest.fixture(scope="module")
def service(
    project: BakedProject, environment: Environment, variables: Callable[[], dict[str, str]]
) -> Iterator[Service]:
    """Run both workers of the variant."""
    with Service(project, environment, variables()) as running:
        running.start_workers("emails", "reports")
        yield running


@pytest.fixture(scope="module")
def api(service: Service) -> Api:
    """Start the API of the service."""
    return start_api(service)


@pytest.fixture
def idle_service(
    project: BakedProject, environment: Environment, variables: Callable[[], dict[str, str]]
) -> Iterator[Service]:
    """Return a service on separate servers, without processes."""
    with Service(project, environment, variables()) as service:
        yield service


def wait_for_state(api: Api, task_id: str, *states: str) -> dict[str, Any]:
    """Return the status of a task when it has one of these states."""
    status: dict[str, Any] = {}

    def has_state() -> bool:
        status.update(api.request("GET", f"/tasks/{task_id}").json)
        return status["state"] in states

    api.service.wait_until(has_state)
    return status


def test_readiness_lists_servers_and_workers(
    api: Api, project: BakedProject, environment: Environment, stores_results: bool
) -> None:
    response = api.request("GET", "/health/ready")

    servers = dict.fromkeys(["broker", "result_backend"] if stores_results else ["broker"], True)
    workers = {"emails": True, "reports": True}
    assert (response.status, response.json) == (200, {"ready": True, "servers": servers, "workers": workers})
    assert api.request("GET", "/queues").json[0]["workers"] == [f"emails@{socket.gethostname()}"]
    # The health check of compose.yaml.
    for port, status in ((api.port, 0), (free_port(), 1)):
        probe = ["python", "-m", "api_check.probe", str(port)]
        assert project.run(*probe, environment=environment, check=False).returncode == status


def test_the_api_without_workers_is_live_but_not_ready(idle_service: Service) -> None:
    api = start_api(idle_service)

    assert api.request("GET", "/health/live").status == 200
    ready = api.request("GET", "/health/ready")
    assert ready.status == 503
    assert ready.json["servers"]["broker"]
    assert not ready.json["workers"]["emails"]


def test_a_submitted_task_runs_with_its_arguments_and_the_request_id(
    api: Api, service: Service, stores_results: bool, request: pytest.FixtureRequest
) -> None:
    count(request, "live")
    submission = {"task": PURGE, "arguments": {"number": 30, "dry_run": True}}
    answer = api.request("POST", "/tasks", submission, X_Request_ID="from-the-test")

    assert answer.status == 202
    assert answer.headers["X-Request-ID"] == "from-the-test"
    task_id = answer.json["id"]
    line = service.workers["reports"].wait_for_line(lambda line: task_id in line and "task not implemented" in line)
    assert "request_id=from-the-test" in line
    assert answer.headers["Location"] == (f"/tasks/{task_id}" if stores_results else None)
    if not stores_results:
        assert api.request("GET", f"/tasks/{task_id}").status == 404


@pytest.mark.usefixtures("requires_results")
def test_the_api_returns_a_result_and_404_for_an_unknown_id(api: Api) -> None:
    status = wait_for_state(api, api.submit(PING, text="hello"), "SUCCESS")

    assert (status["task"], status["result"]) == (PING, "hello")
    assert api.request("GET", f"/tasks/{uuid.uuid4()}").status == 404


@pytest.mark.usefixtures("requires_results")
def test_a_repeated_submission_runs_once(api: Api, service: Service) -> None:
    submission = {"task": PURGE, "arguments": {"number": 7, "dry_run": True}}
    answers = [api.request("POST", "/tasks", submission, Idempotency_Key="order-1") for _ in range(3)]

    (task_id,) = {answer.json["id"] for answer in answers}
    wait_for_state(api, task_id, "SUCCESS")
    last = api.submit(PURGE, number=8, dry_run=True)
    wait_for_state(api, last, "SUCCESS")
    runs = [line for line in service.workers["reports"].lines if task_id in line and "task not implemented" in line]
    assert len(runs) == 1
    reused = api.request("POST", "/tasks", {"task": PING}, Idempotency_Key="order-1")
    assert (reused.status, reused.headers["Content-Type"]) == (409, "application/problem+json")


@pytest.mark.usefixtures("requires_results")
def test_progress_is_streamed_without_delay(api: Api) -> None:
    task_id = api.submit(COUNT_DOWN, seconds=3)
    with socket.create_connection(("127.0.0.1", api.port), timeout=30) as connection:
        request = f"GET /tasks/{task_id}/events HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\n\r\n"
        connection.sendall(request.encode())
        arrived: dict[str, float] = {}
        received = b""
        while b"event: end" not in received or not received.endswith(b"0\r\n\r\n"):
            chunk = connection.recv(65536)
            assert chunk, received
            received += chunk
            for text in ('"left":3', '"left":2', '"left":1', "lift-off"):
                if text.encode() in received:
                    arrived.setdefault(text, time.monotonic())

    assert b"text/event-stream" in received
    assert list(arrived) == ['"left":3', '"left":2', '"left":1', "lift-off"]
    assert arrived["lift-off"] - arrived['"left":3'] > 1.5


@pytest.mark.usefixtures("requires_results")
def test_a_stream_ends_when_the_client_disconnects(api: Api) -> None:
    task_id = api.submit(COUNT_DOWN, seconds=20)
    with socket.create_connection(("127.0.0.1", api.port), timeout=30) as connection:
        connection.sendall(f"GET /tasks/{task_id}/events HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\n\r\n".encode())
        assert connection.recv(65536)

    # The access log line is written at the end of the request.
    api.process.wait_for_line(lambda line: f"/tasks/{task_id}/events" in line, timeout=5)
    api.request("DELETE", f"/tasks/{task_id}")


@pytest.mark.usefixtures("requires_results")
def test_a_running_task_stops_when_it_is_cancelled(api: Api) -> None:
    task_id = api.submit(COUNT_DOWN, seconds=60)
    wait_for_state(api, task_id, "PROGRESS")

    assert api.request("DELETE", f"/tasks/{task_id}").status == 202

    assert wait_for_state(api, task_id, "REVOKED", "SUCCESS")["state"] == "REVOKED"


@pytest.mark.usefixtures("requires_results")
def test_a_task_cancelled_while_no_worker_runs_does_not_start(idle_service: Service) -> None:
    api = start_api(idle_service)
    cancelled, other = api.submit(PURGE, number=1, dry_run=True), api.submit(PURGE, number=2, dry_run=True)
    assert api.request("DELETE", f"/tasks/{cancelled}").status == 202

    worker = idle_service.start_worker("reports")

    assert wait_for_state(api, other, "SUCCESS")
    assert wait_for_state(api, cancelled, "REVOKED")["task"] == PURGE
    assert not [line for line in worker.lines if cancelled in line and "task not implemented" in line]


def test_dead_letters_are_shown_replayed_and_discarded(api: Api, service: Service) -> None:
    task_id = service.run_python(
        "from api_check.celery_app import app\n"
        f"answer = app.send_task({PING!r}, kwargs={{'wrong': 1}}, queue='emails').id"
    )
    service.wait_until(lambda: api.request("GET", "/dead-letters").json["total"] == 1)

    (listed,) = api.request("GET", "/dead-letters?queue=emails&error=wrong&limit=1").json["items"]
    assert (listed["id"], listed["attempts"]) == (task_id, 1)
    assert api.request("GET", "/dead-letters?queue=reports").json == {"total": 0, "items": []}
    shown = api.request("GET", f"/dead-letters/{task_id}").json
    assert shown["kwargs"] == {"wrong": 1}
    assert "TypeError" in shown["traceback"]

    replayed = api.request("POST", "/dead-letters/replay", {"ids": [task_id]})
    assert (replayed.status, replayed.json) == (200, {"number": 1, "remaining": 0})
    line = api.process.wait_for_line("dead letters replayed")
    assert "actor=default" in line
    assert task_id in line
    # It fails again.
    service.wait_until(lambda: api.request("GET", "/dead-letters").json["total"] == 1)
    discarded = api.request("POST", "/dead-letters/discard", {"filter": {"queue": "emails"}})
    assert discarded.json == {"number": 1, "remaining": 0}
    assert api.request("GET", "/dead-letters").json["total"] == 0


def assert_unavailable(api: Api, task_id: str | None) -> None:
    """Assert that each endpoint that needs a server returns 503 within the deadline."""
    requests = [("POST", "/tasks"), ("GET", "/queues"), ("GET", "/dead-letters"), ("GET", "/health/ready")]
    if task_id:
        requests += [("GET", f"/tasks/{task_id}"), ("DELETE", f"/tasks/{task_id}"), ("GET", f"/tasks/{task_id}/events")]
    for method, path in requests:
        answer = api.request(method, path, {"task": PING} if method == "POST" else None)
        assert (answer.status, answer.seconds < DEADLINE) == (503, True), (method, path, answer)
        if path != "/health/ready":
            assert answer.headers["Retry-After"]
            assert answer.headers["Content-Type"] == "application/problem+json"


def assert_unavailable_to_many(api: Api, number: int = 60) -> None:
    """Assert that parallel requests return 503 in time, and that liveness responds meanwhile."""
    answers = []
    callers = [
        threading.Thread(target=lambda: answers.append(api.request("POST", "/tasks", {"task": PING})))
        for _ in range(number)
    ]
    for caller in callers:
        caller.start()
    while any(caller.is_alive() for caller in callers):
        live = api.request("GET", "/health/live")
        assert (live.status, live.seconds < 1) == (200, True)
    assert {answer.status for answer in answers} == {503}
    # A busy machine needs additional time for all requests.
    assert max(answer.seconds for answer in answers) < DEADLINE + 1


def wait_until_available(api: Api) -> None:
    api.service.wait_until(lambda: api.request("POST", "/tasks", {"task": PING}).status == 202, 15)


def test_a_silent_broker_causes_503_within_the_deadline(idle_service: Service) -> None:
    broker = idle_service.variables["CELERY_BROKER_URL"]
    with Proxy(get_port(broker)) as proxy:
        api = start_api(idle_service, CELERY_BROKER_URL=route_through(proxy, broker))
        api.request("POST", "/tasks", {"task": PING})
        proxy.pause()

        assert_unavailable(api, None)
        assert_unavailable_to_many(api)

        proxy.resume()
        wait_until_available(api)
        assert "Traceback" not in api.process.output


@pytest.mark.usefixtures("requires_redis")
def test_a_stopped_or_killed_redis_causes_503_within_the_deadline(
    project: BakedProject, environment: Environment, stores_results: bool, tmp_path: Path
) -> None:
    port = free_port()
    server = [
        find_redis_server() or "",
        "--port",
        str(port),
        "--bind",
        "127.0.0.1",
        "--dir",
        str(tmp_path),
        "--save",
        "",
    ]
    urls = {"LOG_FORMAT": "console", "CELERY_BROKER_URL": f"redis://127.0.0.1:{port}/0"}
    if stores_results:
        urls["CELERY_RESULT_BACKEND"] = f"redis://127.0.0.1:{port}/1"
    with Process(server, cwd=tmp_path, env={}) as redis_server, Service(project, environment, urls) as idle_service:
        wait_for_port(port, redis_server.popen, 10)
        api = start_api(idle_service)
        task_id = api.submit(PING) if stores_results else None

        redis_server.popen.send_signal(signal.SIGSTOP)
        assert_unavailable(api, task_id)
        assert_unavailable_to_many(api)
        redis_server.popen.send_signal(signal.SIGCONT)
        wait_until_available(api)

        redis_server.kill()
        assert_unavailable(api, task_id)
        with Process(server, cwd=tmp_path, env={}) as another:
            wait_for_port(port, another.popen, 10)
            wait_until_available(api)
        assert "Traceback" not in api.process.output


def test_a_missing_api_key_is_reported_in_one_line(idle_service: Service, project: BakedProject) -> None:
    process = idle_service.start(read_api_command(project, free_port()), "api", API_KEY="")

    assert process.wait(30) == 1
    (line,) = process.lines
    assert line.startswith("API_KEY: not set.")


def test_two_api_keys_of_a_client_are_valid_during_a_rotation(idle_service: Service) -> None:
    api = start_api(idle_service, API_KEYS=f"shop:{'a' * 16},shop:{'b' * 16}")

    for key in (KEY, "a" * 16, "b" * 16):
        assert api.request("GET", "/task-types", X_API_Key=key).status == 200
    assert api.request("GET", "/task-types", X_API_Key="c" * 16).status == 401
    api.process.wait_for_line(lambda line: "client=shop" in line, timeout=5)


def test_the_api_stops_in_time_with_an_open_stream(idle_service: Service, stores_results: bool) -> None:
    api = start_api(idle_service)
    with contextlib.ExitStack() as stack:
        if stores_results:
            client = stack.enter_context(socket.create_connection(("127.0.0.1", api.port), timeout=30))
            path = f"/tasks/{api.submit(PING)}/events"
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\n\r\n".encode())
            assert client.recv(65536)
        api.process.terminate()

        # After a graceful shutdown, Uvicorn raises the received signal again.
        assert api.process.wait(12) == -signal.SIGTERM
        assert "Application shutdown complete" in api.process.output
