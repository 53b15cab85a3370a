"""The processes of a generated project, started with the commands in its compose.yaml."""

from __future__ import annotations

import json
import re
import shlex
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

import yaml

from tests.support.processes import Process

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from types import TracebackType

    from tests.support.environments import Environment
    from tests.support.project import BakedProject

START_TIMEOUT = 60.0
"""Seconds. A worker starts slowly on a busy machine."""


def read_commands(project: BakedProject) -> dict[str, list[str]]:
    """Return the Celery commands in compose.yaml by the name of the service."""
    found: dict[str, list[str]] = {}
    for name, service in yaml.safe_load(project.read("compose.yaml"))["services"].items():
        command = service.get("command", [])
        words = shlex.split(interpolate(command)) if isinstance(command, str) else [str(word) for word in command]
        if "worker" in words or "beat" in words:
            found[name] = words
    return found


def interpolate(text: str) -> str:
    """Replace `${NAME:-default}` with the default, as Compose does if no variable is set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def get_queue(command: list[str]) -> str:
    """Return the queue that a worker's command consumes, or "" for beat."""
    return command[command.index("-Q") + 1] if "-Q" in command else ""


@dataclass
class Service:
    """The workers and beat of a project. The end of the `with` block stops them."""

    project: BakedProject
    environment: Environment
    variables: dict[str, str]
    workers: dict[str, Process] = field(default_factory=dict)
    beat: Process | None = None
    _stack: ExitStack = field(default_factory=ExitStack)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    @cached_property
    def commands(self) -> dict[str, list[str]]:
        """The commands of the workers by queue, and the command of beat with the key ""."""
        found = read_commands(self.project).values()
        by_queue = {get_queue(words): words for words in found}
        assert len(by_queue) == len(found), "two services have the same queue"
        return by_queue

    def start(self, words: list[str], name: str, **variables: str) -> Process:
        """Start a command. It is stopped with this service."""
        heartbeat = {"HEARTBEAT_FILE": str(self.project.path / f"heartbeat-{name}")}
        env = self.project.variables(self.environment, self.variables | heartbeat | variables)
        return self._stack.enter_context(Process(words, cwd=self.project.path, env=env, name=name))

    def start_worker(self, queue: str) -> Process:
        """Start the worker of a queue, and wait until it is ready."""
        self.start_workers(queue)
        return self.workers[queue]

    def start_workers(self, *queues: str) -> None:
        """Start the workers of these queues in parallel, and wait until they are ready."""
        for queue in queues:
            self.workers[queue] = self.start(self.commands[queue], queue)
        for queue in queues:
            self.workers[queue].wait_for_line(" ready.", START_TIMEOUT)

    def start_instances(self, queue: str, number: int, **variables: str) -> list[Process]:
        """Start several workers of a queue with unique node names in parallel, and wait until they are ready."""
        started = []
        for index in range(len(self.workers), len(self.workers) + number):
            name = f"{queue}-{index}"
            words = [re.sub(r"@%h$", f"-{index}@%h", word) for word in self.commands[queue]]
            self.workers[name] = self.start(words, name, **variables)
            started.append(self.workers[name])
        for worker in started:
            worker.wait_for_line(" ready.", START_TIMEOUT)
        return started

    def start_all(self) -> None:
        """Start all workers in parallel, then beat."""
        self.start_workers(*filter(None, self.commands))
        self.beat = self.start_beat("beat")

    def start_beat(self, name: str) -> Process:
        """Start beat, with its state in the folder of the project instead of the path in the container."""
        state = str(self.project.path / f"{name}.db")
        return self.start([state if word.startswith("/") else word for word in self.commands[""]], name)

    def check_health(self, name: str) -> str:
        """Return the error of the health check of a worker or beat, or "" if it is healthy."""
        heartbeat = {"HEARTBEAT_FILE": str(self.project.path / f"heartbeat-{name}")}
        module = f"{self.project.slug}.health"
        completed = self.project.run(
            "python", "-m", module, environment=self.environment, variables=self.variables | heartbeat, check=False
        )
        assert (completed.returncode == 0) == (completed.stderr == ""), completed
        return completed.stderr

    def diagnose(self, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the doctor with additional environment variables."""
        command = ("python", "-m", f"{self.project.slug}.doctor")
        return self.project.run(
            *command, environment=self.environment, variables=self.variables | variables, check=False
        )

    def wait_until(self, condition: Callable[[], bool], timeout: float = 30, interval: float = 0.1) -> None:
        """Poll until a condition is true. Prefer `Process.wait_for_line` if a process prints a line.

        Raises:
            AssertionError: The timeout expired. The message contains the output of the workers.
        """
        until = time.monotonic() + timeout
        while not condition():
            assert time.monotonic() < until, {name: worker.output[-3000:] for name, worker in self.workers.items()}
            time.sleep(interval)

    def run_python(self, code: str, timeout: float = 60) -> Any:
        """Run Python code in the environment of the project. Return its variable `answer`, encoded as JSON."""
        program = f"import json\n{code}\nprint(json.dumps(answer))"
        completed = self.project.run(
            "python", "-c", program, environment=self.environment, variables=self.variables, timeout=timeout
        )
        return json.loads(completed.stdout.splitlines()[-1])
