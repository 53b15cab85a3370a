"""A generated API, started with the command in compose.yaml on a free port."""

from __future__ import annotations

import http.client
import json
import shlex
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from tests.support.processes import free_port, wait_for_port

if TYPE_CHECKING:
    from tests.live.service import Service
    from tests.support.processes import Process
    from tests.support.project import BakedProject

KEY = "a key of the tests"
START_TIMEOUT = 60.0
"""Seconds. The API starts slowly on a busy machine."""


@dataclass(frozen=True)
class Response:
    """A response of the API, and the seconds until it was complete."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    seconds: float

    @property
    def json(self) -> Any:
        """The parsed JSON body."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Api:
    """A running API."""

    service: Service
    process: Process
    port: int

    def request(
        self, method: str, path: str, content: object = None, *, body: bytes | None = None, **headers: str
    ) -> Response:
        """Send a request with the API key. Header names have `_` for `-`. `content` is encoded as JSON."""
        all_headers = {"X-API-Key": KEY} | {name.replace("_", "-"): value for name, value in headers.items()}
        if content is not None:
            body = json.dumps(content).encode()
        if body is not None:
            all_headers.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        try:
            started = time.monotonic()
            connection.request(method, path, body, all_headers)
            response = connection.getresponse()
            return Response(response.status, response.headers, response.read(), time.monotonic() - started)
        finally:
            connection.close()

    def submit(self, task: str, **arguments: object) -> str:
        """Submit a task. Return its id.

        Raises:
            AssertionError: The submission was refused.
        """
        response = self.request("POST", "/tasks", {"task": task, "arguments": arguments})
        assert response.status == 202, response
        return str(response.json["id"])


def read_api_command(project: BakedProject, port: int) -> list[str]:
    """Return the API's command of compose.yaml, for a port on the loopback address."""
    words = shlex.split(yaml.safe_load(project.read("compose.yaml"))["services"]["api"]["command"])
    return [{"--host=": "--host=127.0.0.1", "8000": str(port)}.get(word, word) for word in words]


def start_api(service: Service, **variables: str) -> Api:
    """Start the API of a service, and wait until it accepts connections. It is stopped with the service."""
    port = free_port()
    process = service.start(read_api_command(service.project, port), "api", **{"API_KEY": KEY, **variables})
    wait_for_port(port, process.popen, START_TIMEOUT)
    return Api(service, process, port)
