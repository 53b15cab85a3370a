"""A generated project as it runs in production: the commands of its compose.yaml, each a process of its own."""

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

START = 60.0
"""Seconds that a worker may take to start on a busy machine."""


def commands(project: BakedProject) -> dict[str, list[str]]:
    """The Celery commands of compose.yaml, by their service's name."""
    found: dict[str, list[str]] = {}
    for name, service in yaml.safe_load(project.read("compose.yaml"))["services"].items():
        command = service.get("command", [])
        words = shlex.split(as_interpolated(command)) if isinstance(command, str) else [str(word) for word in command]
        if "worker" in words or "beat" in words:
            found[name] = words
    return found


def as_interpolated(text: str) -> str:
    """What Compose makes of `${NAME:-default}` where no variable is set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def queue_of(command: list[str]) -> str:
    """The queue that a worker's command consumes; "" for beat."""
    return command[command.index("-Q") + 1] if "-Q" in command else ""


@dataclass
class Service:
    """The workers and beat of a project. Use it in a `with` block, which ends them."""

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
        """The commands of compose.yaml by their queue; beat's by ""."""
        found = commands(self.project).values()
        by_queue = {queue_of(words): words for words in found}
        assert len(by_queue) == len(found), "two services have the same queue"
        return by_queue

    def start(self, words: list[str], name: str, **variables: str) -> Process:
        """Start one command of compose.yaml; it ends with this service."""
        heartbeat = {"HEARTBEAT_FILE": str(self.project.path / f"heartbeat-{name}")}
        env = self.project.variables(self.environment, self.variables | heartbeat | variables)
        return self._stack.enter_context(Process(words, cwd=self.project.path, env=env, name=name))

    def start_worker(self, queue: str) -> Process:
        """Start the worker of a queue, and wait until it takes tasks."""
        self.start_workers(queue)
        return self.workers[queue]

    def start_workers(self, *queues: str) -> None:
        """Start the workers of these queues at once, and wait until they take tasks."""
        for queue in queues:
            self.workers[queue] = self.start(self.commands[queue], queue)
        for queue in queues:
            self.workers[queue].wait_for_line(" ready.", START)

    def start_instances(self, queue: str, number: int, **variables: str) -> list[Process]:
        """Start several workers of a queue at once, each with a unique node name, and wait until they take tasks."""
        started = []
        for index in range(len(self.workers), len(self.workers) + number):
            name = f"{queue}-{index}"
            words = [re.sub(r"@%h$", f"-{index}@%h", word) for word in self.commands[queue]]
            self.workers[name] = self.start(words, name, **variables)
            started.append(self.workers[name])
        for worker in started:
            worker.wait_for_line(" ready.", START)
        return started

    def start_all(self) -> None:
        """Start every worker at once, and beat once they take tasks."""
        self.start_workers(*filter(None, self.commands))
        self.beat = self.start_beat("beat")

    def start_beat(self, name: str) -> Process:
        """Start a beat, which keeps its state in the project's copy instead of where the container keeps it."""
        state = str(self.project.path / f"{name}.db")
        return self.start([state if word.startswith("/") else word for word in self.commands[""]], name)

    def health(self, name: str) -> str:
        """What the probe of a running worker or beat complains of; "" if it is healthy."""
        heartbeat = {"HEARTBEAT_FILE": str(self.project.path / f"heartbeat-{name}")}
        module = f"{self.project.slug}.health"
        ran = self.project.run(
            "python", "-m", module, environment=self.environment, variables=self.variables | heartbeat, check=False
        )
        assert (ran.returncode == 0) == (ran.stderr == ""), ran
        return ran.stderr

    def diagnose(self, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run the doctor with the variables of this service and these."""
        command = ("python", "-m", f"{self.project.slug}.doctor")
        return self.project.run(
            *command, environment=self.environment, variables=self.variables | variables, check=False
        )

    def wait_until(self, done: Callable[[], bool], seconds: float = 30, pause: float = 0.1) -> None:
        """Wait for what no process prints. Poll every `pause` seconds.

        Raises:
            AssertionError: `seconds` went by.
        """
        until = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < until, {name: worker.output[-3000:] for name, worker in self.workers.items()}
            time.sleep(pause)

    def ask(self, code: str, timeout: float = 60) -> Any:
        """Run Python in the project's environment; `answer = ...` in it is what comes back, by way of JSON."""
        program = f"import json\n{code}\nprint(json.dumps(answer))"
        ran = self.project.run(
            "python", "-c", program, environment=self.environment, variables=self.variables, timeout=timeout
        )
        return json.loads(ran.stdout.splitlines()[-1])
