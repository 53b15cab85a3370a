"""A generated API as it runs in production: the command of compose.yaml, on a port of its own."""

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

KEY = "a key of the tests, and of nothing else"
START = 60.0
"""Seconds that the API may take to start on a busy machine."""


@dataclass(frozen=True)
class Answer:
    """What the API answered, and after how many seconds."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes
    seconds: float

    @property
    def json(self) -> Any:
        """The body, as JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Api:
    """A running API."""

    process: Process
    port: int

    def ask(
        self, method: str, path: str, content: object = None, *, body: bytes | None = None, **headers: str
    ) -> Answer:
        """Ask with the key; headers are by name, with `_` for `-`, and `content` is sent as JSON."""
        sent = {"X-API-Key": KEY} | {name.replace("_", "-"): value for name, value in headers.items()}
        if content is not None:
            body = json.dumps(content).encode()
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=90)
        try:
            started = time.monotonic()
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read(), time.monotonic() - started)
        finally:
            connection.close()

    def submit(self, task: str, **arguments: object) -> str:
        """Submit a task, and return its id.

        Raises:
            AssertionError: it was refused.
        """
        answer = self.ask("POST", "/tasks", {"task": task, "arguments": arguments})
        assert answer.status == 202, answer
        return str(answer.json["id"])


def command(project: BakedProject, port: int) -> list[str]:
    """What compose.yaml starts the API with, on this machine's loopback address."""
    words = shlex.split(yaml.safe_load(project.read("compose.yaml"))["services"]["api"]["command"])
    return [{"--host=": "--host=127.0.0.1", "8000": str(port)}.get(word, word) for word in words]


def start_api(service: Service, **variables: str) -> Api:
    """Start the API beside the workers of a service, and wait until it answers; it ends with the service."""
    port = free_port()
    process = service.start(command(service.project, port), "api", **{"API_KEY": KEY, **variables})
    wait_for_port(port, process.popen, START)
    return Api(process, port)
