"""A project in containers, driven by its own Makefile and by Docker Compose."""

from __future__ import annotations

import contextlib
import json
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from tests.real.work import program
from tests.support.processes import Process, at_the_end, free_port

if TYPE_CHECKING:
    import subprocess
    from types import TracebackType

    from tests.support.project import BakedProject

# The main process: the one child of the small init that is process 1.
MAIN = """
import os, pathlib, signal
for folder in pathlib.Path("/proc").glob("[0-9]*"):
    if (folder / "stat").read_text().rpartition(")")[2].split()[1] == "1":
        os.kill(int(folder.name), signal.SIGNAL)
"""

PORTS = ("API_PORT", "WEB_PORT", "RABBITMQ_PAGES_PORT", "FLOWER_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT")


@dataclass
class Stack:
    """Use it in a `with` block, which removes its containers, volumes and images.

    Attributes:
        project: what runs.
        profile: of compose.yaml, whose services are meant as well.
        ports: the variables that say where its servers listen, each a port that is free.
    """

    project: BakedProject
    profile: str = ""
    ports: dict[str, str] = field(default_factory=lambda: {name: str(free_port()) for name in PORTS})
    _end: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __enter__(self) -> Self:
        self._end.enter_context(at_the_end("docker", "image", "rm", self.image, f"{self.image}-flower"))
        down = ("docker", "compose", "--project-directory", str(self.project.path), "--profile", "*", "down")
        self._end.enter_context(at_the_end(*down, "--volumes", "--timeout", "5", "--remove-orphans"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(self.compose("logs", "--tail", "30", check=False).stdout)
        self._end.close()

    @property
    def image(self) -> str:
        """The name of its image."""
        return self.project.slug.replace("_", "-")

    @property
    def variables(self) -> dict[str, str]:
        """The environment variables that Compose reads."""
        plain = {"BUILDKIT_PROGRESS": "plain", "COMPOSE_PROGRESS": "plain"}
        return self.ports | plain | {"COMPOSE_PROFILES": self.profile}

    def run(self, *command: str, timeout: float = 600, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the project; see `BakedProject.run`."""
        return self.project.run(*command, variables=self.variables, timeout=timeout, check=check)

    def compose(self, *words: str, timeout: float = 600, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `docker compose`."""
        return self.run("docker", "compose", *words, timeout=timeout, check=check)

    def follow(self, *command: str, name: str) -> Process:
        """A command whose lines can be waited for; use it in a `with` block."""
        return Process(command, cwd=self.project.path, env=self.project.variables(None, self.variables), name=name)

    def services(self) -> dict[str, str]:
        """The container of each service that should run, by its name."""
        found = self.compose("ps", "--format", "{{.Service}} {{.ID}}", "--no-trunc").stdout.splitlines()
        return dict(sorted(line.split() for line in found))

    def workers(self) -> list[str]:
        """The services that run a worker."""
        return [name for name in self.services() if name.startswith("worker-")]

    def inspect(self, service: str) -> dict[str, Any]:
        """What Docker knows of a service's container."""
        container = self.compose("ps", "--all", "--quiet", service).stdout.split()[0]
        described: list[dict[str, Any]] = json.loads(self.run("docker", "inspect", container).stdout)
        return described[0]

    def health(self, service: str) -> str:
        """What Docker says of a service's health."""
        return str(self.inspect(service)["State"]["Health"]["Status"])

    def python(self, service: str, code: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run Python in a service's container."""
        return self.compose("exec", "-T", service, "python", "-c", code, check=check)

    def signal(self, service: str, name: str) -> None:
        """Send a signal to the main process of a service."""
        # With the main process the container ends, and may take the one that sent the signal along.
        self.python(service, MAIN.replace("SIGNAL", name), check=name != "SIGKILL")

    def client(self, code: str) -> list[str]:
        """The command that runs Python in a container of its own, which no change of the services touches."""
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
            program(self.project, code),
        ]

    def ask(self, code: str, timeout: float = 120) -> Any:
        """What `answer` is after this code, which can `send(queue, name)`."""
        return json.loads(self.run(*self.client(code), timeout=timeout).stdout.splitlines()[-1])

    def events(self, service: str, event: str) -> Process:
        """What happens to a service's container; a line for each event."""
        container = self.inspect(service)["Id"]
        now = f"{time.time():.6f}"  # or what came earlier in this second would be taken for new
        words = ["events", "--since", now, "--filter", f"container={container}", "--filter", f"event={event}"]
        return self.follow("docker", *words, "--format", "{{.Action}}", name=f"events of {service}")

    def build(self) -> tuple[float, str]:
        """Build the image; the seconds that took, and what was said."""
        started = time.monotonic()
        ran = self.compose("build")
        return time.monotonic() - started, ran.stdout + ran.stderr

    def megabytes(self, image: str) -> float:
        """An image's size, unpacked."""
        return int(self.run("docker", "image", "inspect", "--format", "{{.Size}}", image).stdout) / 1e6

    def can_do_little(self, service: str) -> None:
        """Assert that a service is closed, limited, and open to this machine only."""
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
