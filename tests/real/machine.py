"""A machine with systemd, and a project that is installed on it."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import tarfile
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

import pytest

from tests.real.tasks import build_program
from tests.support.processes import Process, free_port
from tests.support.project import clean_environment
from tests.support.variants import ROOT

if TYPE_CHECKING:
    from types import TracebackType

    from tests.support.project import BakedProject

BROKER = """
[Unit]
Description=The broker of the tests

[Service]
ExecStart=/usr/bin/env redis-server --port {port} --bind 127.0.0.1 --appendonly yes --dir /var/lib/{name}
StateDirectory={name}
Restart=always

[Install]
WantedBy=multi-user.target
"""


@dataclass
class Machine:
    """A disposable machine. Scripts are sent to its standard input, so that no shell in between must quote them."""

    prefix: list[str]
    port: int = field(default_factory=free_port)
    _end: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    BROKER = "real-broker"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.close()

    def sh(self, script: str, *, timeout: float = 120, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a shell script as root.

        Raises:
            AssertionError: The exit status was not 0.
            subprocess.TimeoutExpired: The timeout expired.
        """
        command = [*self.prefix, "sh", "-s"]
        # In a group, because the shell reads its standard input while commands run.
        completed = subprocess.run(
            command,
            input=f"{{\n{script}\n}} </dev/null\n",
            text=True,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        if check:
            assert completed.returncode == 0, (
                f"{script}\nexited with {completed.returncode}:\n{completed.stdout}\n{completed.stderr}"
            )
        return completed

    def follow(self, script: str, name: str) -> Process:
        """Start a script in the background. Use it in a `with` block."""
        self.put({f"{name}.sh": script}, "/run")
        return Process([*self.prefix, "sh", f"/run/{name}.sh"], cwd=ROOT, env=clean_environment(), name=name)

    def require_programs(self, *programs: str) -> None:
        """Fail if a program is missing, or if the machine is unreachable."""
        completed = self.sh(
            f"for each in {' '.join(programs)}; do command -v $each >/dev/null || echo $each; done", check=False
        )
        if completed.returncode != 0 or completed.stdout:
            missing = (
                f"lacks {' and '.join(completed.stdout.split())}"
                if completed.stdout
                else f"is unreachable: {completed.stderr}"
            )
            pytest.fail(f"the machine of SYSTEMD_MACHINE {missing}", pytrace=False)

    def require_free_ports(self, *ports: int) -> None:
        """Fail if a port of the units is in use."""
        code = f"import socket; print(*(p for p in {ports} if not socket.socket().connect_ex(('127.0.0.1', p))))"
        if used := self.sh(f'python3 -c "{code}"').stdout.strip():
            pytest.fail(f"the machine of SYSTEMD_MACHINE has processes that listen on {used}", pytrace=False)

    def put(self, files: dict[str, str], folder: str) -> None:
        """Write files into a folder of the machine."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name, text in files.items():
                content = text.encode()
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                entry.mode = 0o644
                archive.addfile(entry, io.BytesIO(content))
        self._unpack(packed.getvalue(), folder)

    def copy(self, project: BakedProject, folder: str) -> str:
        """Copy a project into a folder of the machine. Return its path."""
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            for name in project.files():
                archive.add(project.path / name, f"{project.slug}/{name}")
        self.sh(f"rm -rf {folder}/{project.slug}; mkdir -p {folder}")
        self._unpack(packed.getvalue(), folder)
        return f"{folder}/{project.slug}"

    def _unpack(self, archive: bytes, folder: str) -> None:
        command = [*self.prefix, "tar", "-x", "--no-same-owner", "-C", folder]
        subprocess.run(command, input=archive, check=True, capture_output=True, timeout=120)

    def start_broker(self) -> None:
        """Start a Redis server of the tests, which keeps its data after a reboot."""
        unit = BROKER.format(port=self.port, name=self.BROKER)
        self.put({f"{self.BROKER}.service": unit}, "/etc/systemd/system")
        self._end.callback(
            self.sh,
            f"systemctl disable --quiet --now {self.BROKER}; rm -rf /var/lib/{self.BROKER}"
            f" /etc/systemd/system/{self.BROKER}.service; systemctl daemon-reload",
            check=False,
        )
        self.sh(f"systemctl daemon-reload; systemctl enable --quiet --now {self.BROKER}")

    def show(self, unit: str, *properties: str) -> dict[str, str]:
        """Return properties of a unit."""
        output = self.sh(f"systemctl show {unit} {' '.join(f'-p {name}' for name in properties)}").stdout
        return dict(line.split("=", maxsplit=1) for line in output.splitlines())

    def wait_until(self, condition: str, timeout: float) -> float:
        """Wait until a shell condition is true. Return the seconds."""
        started = time.monotonic()
        loop = f"until {condition}; do sleep 0.2; done"
        self.sh(loop, timeout=timeout)
        return time.monotonic() - started


@dataclass(frozen=True)
class Installation:
    """A project that is copied to a machine, or installed on it."""

    machine: Machine
    project: BakedProject
    folder: str
    services: tuple[str, ...]

    @property
    def slug(self) -> str:
        """The name of the project's package."""
        return self.project.slug

    @property
    def target(self) -> str:
        """The systemd target of all services."""
        return f"{self.slug}.target"

    @property
    def daemons(self) -> list[str]:
        """The services that keep running."""
        return [name for name in self.services if name != "migrate"]

    def unit(self, name: str) -> str:
        """Return the unit of a service, for example `beat` or `worker-other@1`."""
        return f"{self.slug}-{name}.service"

    def get_release_of(self, unit: str) -> str:
        """Return the folder of the release that a unit runs."""
        pid = self.machine.show(unit, "MainPID")["MainPID"]
        command = self.machine.sh(f"tr '\\0' '\\n' </proc/{pid}/cmdline").stdout
        return command.partition("/bin/")[0]

    def units(self) -> list[str]:
        """Return the units of all services."""
        listed = self.machine.sh(f"systemctl show -P Wants {self.target}").stdout.split()
        return sorted(unit for unit in listed if unit.startswith(f"{self.slug}-"))

    def run_installer(self, *options: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run install.sh."""
        return self.machine.sh(f"{self.folder}/deploy/systemd/install.sh {' '.join(options)}", timeout=900, check=check)

    def upload(self) -> None:
        """Update the project's copy on the machine."""
        self.machine.copy(self.project, "/srv")

    def release(self) -> str:
        """Return the folder of the current release."""
        return self.machine.sh(f"readlink -f /opt/{self.slug}/current").stdout.strip()

    def client(self, code: str, name: str) -> str:
        """Return a script that runs Python code with the current release, outside of the services."""
        self.machine.put({f"{name}.py": build_program(self.project, code)}, "/run")
        return f"set -a; . /etc/{self.slug}/environment; exec {self.release()}/bin/python -u /run/{name}.py"

    def run_python(self, code: str, timeout: float = 120) -> Any:
        """Run Python code. Return its variable `answer`. The code can use `send(queue, name)`."""
        output = self.machine.sh(f"({self.client(code, 'client')})", timeout=timeout).stdout
        return json.loads(output.splitlines()[-1])

    def all_active(self) -> str:
        """Return a shell condition: all services are active."""
        # With several units, the exit status is 0 if one is active.
        return f'[ -z "$(systemctl is-active {" ".join(self.units())} | grep -vx active)" ]'
