"""A generated API with malicious clients, and with requests from its OpenAPI document."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import count
from tests.live.api import KEY, Api, start_api
from tests.live.service import Service

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.bakery import Bakery
    from tests.support.brokers import Redis
    from tests.support.environments import Environment

# The API refuses these requests before it uses a broker, so one variant is enough.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("hostile")]

ANSWERS = {
    "project_name": "Api Check",
    "queues": "emails:2, reports:1@threads",
    "beat_jobs": "purge(30, dry_run=False) = @daily -> reports",
}
PING = "api_check.tasks.emails.ping"


@pytest.fixture(scope="module")
def api(
    bake: Bakery,
    install_project: Callable[..., Environment],
    redis_server: Redis,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Api]:
    """Run the API and its workers. Assert at the end that no request caused an error."""
    project = bake(framework="fastapi", **ANSWERS).copy_to(tmp_path_factory.mktemp("hostile"))
    urls = {name: redis_server.new_database() for name in ("CELERY_BROKER_URL", "CELERY_RESULT_BACKEND")}
    with Service(project, install_project(project), {**urls, "LOG_FORMAT": "console"}) as service:
        service.start_workers("emails", "reports")
        api = start_api(service, API_DOCS="true")
        yield api
        assert "Traceback" not in api.process.output
        assert "status=500" not in api.process.output


# Request bodies and the accepted status codes.
BODIES: dict[str, tuple[bytes, set[int]]] = {
    "nothing": (b"", {422}),
    "no JSON": (b"{'task': 1}", {422}),
    "not a number": (b'{"task": NaN}', {422}),
    "infinity": (b'{"task": "x", "arguments": {"a": 1e999}}', {422}),
    "deep lists": (b"[" * 30_000, {400}),
    "deep objects": (b'{"arguments":' * 4_000 + b"1" + b"}" * 4_000, {400}),
    "a long number": (b'{"task": ' + b"9" * 60_000 + b"}", {400}),
    "half a character": (b'{"task": "\\udc00"}', {422}),
    "no UTF-8": (b'{"task": "\xff"}', {400}),
    "UTF-16": ('{"task": "x"}'.encode("utf-16"), {422}),
    "an object of kombu's": (
        json.dumps({"task": PING, "arguments": {"text": {"__type__": "x", "__value__": 1}}}).encode(),
        {422},
    ),
    "a list": (b"[]", {422}),
    "null": (b"null", {422}),
    "a task of Celery's": (b'{"task": "celery.backend_cleanup"}', {422}),
    "a hidden attribute": (b'{"task": "api_check.celery_app.app"}', {422}),
    "options of apply_async": (json.dumps({"task": PING, "queue": "reports", "countdown": 1}).encode(), {422}),
    "a wrong type": (json.dumps({"task": PING, "arguments": {"text": 1}}).encode(), {422}),
    "too many arguments": (
        json.dumps({"task": PING, "arguments": {f"a{number}": 1 for number in range(3000)}}).encode(),
        {422},
    ),
    "the same key twice": (b'{"task": "x", "task": "%s"}' % PING.encode(), {202}),
    "a text of control characters": (json.dumps({"task": PING, "arguments": {"text": "\x00\x1b\n"}}).encode(), {202}),
    "too much": (b" " * 65_537, {413}),
    "far too much": (b" " * 5_000_000, {413}),
}


@pytest.mark.parametrize("body", BODIES, ids=lambda name: name.replace(" ", "-"))
def test_no_request_body_causes_an_error(api: Api, body: str) -> None:
    content, statuses = BODIES[body]
    try:
        answer = api.request("POST", "/tasks", body=content)
    except (BrokenPipeError, ConnectionResetError):
        # The API responded and closed the connection before the end of the body.
        assert statuses == {413}
        return
    assert answer.status in statuses, answer
    if answer.status >= 400:
        assert answer.status == 413 or answer.headers["Content-Type"] == "application/problem+json"
        assert len(answer.body) < 8000


IDS = ["1", "0" * 36, "..", "%2e%2e%2f", "%00", "%0d%0aX:1", "celery", "%F0%9F%98%80", "a" * 8000, "{task_id}", "'--"]


@pytest.mark.parametrize("task_id", IDS, ids=lambda task_id: task_id[:36])
def test_no_task_id_causes_an_error(api: Api, task_id: str) -> None:
    for method in ("GET", "DELETE"):
        for path in (f"/tasks/{task_id}", f"/tasks/{task_id}/events"):
            assert api.request(method, path).status in {404, 405, 422}


RAW = {
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\r\n\r\n",
    "a header without an end": b"GET /health/live HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 200_000,
    "two lengths": b"POST /tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    "a length and chunks": (
        b"POST /tasks HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    ),
    "a negative length": b"POST /tasks HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
    "a line break in a header": b"GET /queues HTTP/1.1\r\nHost: x\r\nX-Request-ID: a\n b\r\n\r\n",
    "endless chunks": (
        b"POST /tasks HTTP/1.1\r\nHost: x\r\nX-API-Key: " + KEY.encode() + b"\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n" + b"1000\r\n" + b" " * 0x1000 + b"\r\n"
    )
    + (b"1000\r\n" + b" " * 0x1000 + b"\r\n") * 30,
    "an old version": b"GET /health/live HTTP/0.9\r\n\r\n",
}


@pytest.mark.parametrize("name", RAW, ids=lambda name: name.replace(" ", "-"))
def test_no_raw_bytes_cause_an_error(api: Api, name: str) -> None:
    with socket.create_connection(("127.0.0.1", api.port), timeout=10) as connection:
        received = b""
        with contextlib.suppress(ConnectionError, TimeoutError):
            connection.sendall(RAW[name])
            while chunk := connection.recv(65536):
                received += chunk
                if b"\r\n\r\n" in received:
                    break
    assert b" 500 " not in received.split(b"\r\n")[0]
    assert api.request("GET", "/health/live").status == 200


def test_schemathesis_reports_no_failure(api: Api, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    count(request, "live")
    completed = subprocess.run(
        [
            *(Path(sys.executable).with_name("schemathesis"), "run", f"http://127.0.0.1:{api.port}/openapi.json"),
            *("--header", f"X-API-Key: {KEY}", "--max-examples", "15", "--seed", "1", "--no-color"),
            # A cancelled task still exists, as REVOKED. `Allow` of Starlette is that of the first route.
            *("--checks", "all", "--exclude-checks", "use_after_free,allow_header_conformance"),
            "--continue-on-failure",
            # Streams take a minute each.
            *("--exclude-path-regex", "events$", "--request-timeout", "30"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert completed.returncode == 0, completed.stdout + completed.stderr
    assert api.request("GET", "/health/live").status == 200
