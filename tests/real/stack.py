"""A project in containers, controlled by its Makefile and Docker Compose."""

from __future__ import annotations

import contextlib
import json
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from tests.real.tasks import build_program
from tests.support.processes import Process, free_port, run_on_exit

if TYPE_CHECKING:
    import subprocess
    from types import TracebackType

    from tests.support.project import BakedProject

# Sends a signal to the main process: the only child of the init process.
SIGNAL_MAIN_PROCESS = """
import os, pathlib, signal
for folder in pathlib.Path("/proc").glob("[0-9]*"):
    if (folder / "stat").read_text().rpartition(")")[2].split()[1] == "1":
        os.kill(int(folder.name), signal.SIGNAL)
"""

PORTS = ("API_PORT", "WEB_PORT", "RABBITMQ_PAGES_PORT", "FLOWER_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT")


@dataclass
class Stack:
    """The containers of a project. The end of the `with` block removes containers, volumes and images.

    Attributes:
        project: The project.
        profile: An additional profile of compose.yaml.
        ports: The environment variables of the published ports, with free ports.
    """

    project: BakedProject
    profile: str = ""
    ports: dict[str, str] = field(default_factory=lambda: {name: str(free_port()) for name in PORTS})
    _end: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __enter__(self) -> Self:
        self._end.enter_context(run_on_exit("docker", "image", "rm", self.image, f"{self.image}-flower"))
        down = ("docker", "compose", "--project-directory", str(self.project.path), "--profile", "*", "down")
        self._end.enter_context(run_on_exit(*down, "--volumes", "--timeout", "5", "--remove-orphans"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(self.compose("logs", "--tail", "30", check=False).stdout)
        self._end.close()

    @property
    def image(self) -> str:
        """The name of the image."""
        return self.project.slug.replace("_", "-")

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables of Compose."""
        plain = {"BUILDKIT_PROGRESS": "plain", "COMPOSE_PROGRESS": "plain"}
        return self.ports | plain | {"COMPOSE_PROFILES": self.profile}

    def run(self, *command: str, timeout: float = 600, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the project; see `BakedProject.run`."""
        return self.project.run(*command, variables=self.variables, timeout=timeout, check=check)

    def compose(self, *words: str, timeout: float = 600, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `docker compose`."""
        return self.run("docker", "compose", *words, timeout=timeout, check=check)

    def follow(self, *command: str, name: str) -> Process:
        """Start a command in the background. Use it in a `with` block."""
        return Process(command, cwd=self.project.path, env=self.project.variables(None, self.variables), name=name)

    def services(self) -> dict[str, str]:
        """Return the containers of the running services by name."""
        found = self.compose("ps", "--format", "{{.Service}} {{.ID}}", "--no-trunc").stdout.splitlines()
        return dict(sorted(line.split() for line in found))

    def workers(self) -> list[str]:
        """Return the services of workers."""
        return [name for name in self.services() if name.startswith("worker-")]

    def inspect(self, service: str) -> dict[str, Any]:
        """Return the output of `docker inspect` for the container of a service."""
        container = self.compose("ps", "--all", "--quiet", service).stdout.split()[0]
        described: list[dict[str, Any]] = json.loads(self.run("docker", "inspect", container).stdout)
        return described[0]

    def health(self, service: str) -> str:
        """Return the health status of a service."""
        return str(self.inspect(service)["State"]["Health"]["Status"])

    def python(self, service: str, code: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run Python in the container of a service."""
        return self.compose("exec", "-T", service, "python", "-c", code, check=check)

    def signal(self, service: str, name: str) -> None:
        """Send a signal to the main process of a service."""
        # The container stops with its main process, and may kill the sender of the signal.
        self.python(service, SIGNAL_MAIN_PROCESS.replace("SIGNAL", name), check=name != "SIGKILL")

    def client(self, code: str) -> list[str]:
        """Return the command that runs Python code in a separate container, which survives changes of the services."""
        first = next(iter(self.workers()), "worker-default")
        return [
            "docker",
            "compose",
            "run",
            "--rm",
            "--no-deps",
            "-T",
            first,
            "python",
            "-u",
            "-c",
            build_program(self.project, code),
        ]

    def run_python(self, code: str, timeout: float = 120) -> Any:
        """Run Python code. Return its variable `answer`. The code can use `send(queue, name)`."""
        return json.loads(self.run(*self.client(code), timeout=timeout).stdout.splitlines()[-1])

    def events(self, service: str, event: str) -> Process:
        """Follow the events of a service's container: one line per event."""
        container = self.inspect(service)["Id"]
        now = f"{time.time():.6f}"  # with microseconds, or it would include earlier events of this second
        words = ["events", "--since", now, "--filter", f"container={container}", "--filter", f"event={event}"]
        return self.follow("docker", *words, "--format", "{{.Action}}", name=f"events of {service}")

    def build(self) -> tuple[float, str]:
        """Build the image. Return the seconds and the output."""
        started = time.monotonic()
        completed = self.compose("build")
        return time.monotonic() - started, completed.stdout + completed.stderr

    def measure_image(self, image: str) -> float:
        """Return the unpacked size of an image in MB."""
        return int(self.run("docker", "image", "inspect", "--format", "{{.Size}}", image).stdout) / 1e6

    def assert_minimal_privileges(self, service: str) -> None:
        """Assert that a service has minimal privileges, limits, and ports on the loopback address only."""
        host = self.inspect(service)["HostConfig"]
        assert host["ReadonlyRootfs"], service
        assert host["CapDrop"] == ["ALL"], service
        assert any("no-new-privileges" in option for option in host["SecurityOpt"]), service
        assert host["Memory"] > 0, service
        assert host["NanoCpus"] > 0, service
        assert host["RestartPolicy"]["Name"] == "unless-stopped", service
        assert host["LogConfig"]["Config"] == {"max-file": "5", "max-size": "10m"}, service
        published = [binding["HostIp"] for each in host["PortBindings"].values() for binding in each]
        assert set(published) <= {"127.0.0.1"}, service
        uid = self.compose("exec", "-T", service, "id", "-u").stdout.strip()
        status = self.compose("exec", "-T", service, "cat", "/proc/self/status").stdout
        assert uid != "0", service
        assert re.search(r"^CapBnd:\t0+$", status, re.MULTILINE), service
        assert "NoNewPrivs:\t1" in status, service
        refused = self.compose("exec", "-T", service, "touch", "/usr/here", check=False)
        assert "Read-only file system" in refused.stderr, service
