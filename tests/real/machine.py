"""A machine with systemd, reached by a command that runs others there as root."""

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

from tests.real.work import program
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
    """A disposable machine. Programs reach it through standard input, so that any shell in between quotes nothing."""

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
        """Run a shell script there, as root.

        Raises:
            AssertionError: its exit status was not 0.
            subprocess.TimeoutExpired: it took too long, in seconds.
        """
        command = [*self.prefix, "sh", "-s"]
        # In a group, since the shell reads on while its commands run.
        ran = subprocess.run(
            command,
            input=f"{{\n{script}\n}} </dev/null\n",
            text=True,
            capture_output=True,
            timeout=timeout,
            check=False,
        )
        if check:
            assert ran.returncode == 0, f"{script}\nended with {ran.returncode}:\n{ran.stdout}\n{ran.stderr}"
        return ran

    def follow(self, script: str, name: str) -> Process:
        """A script whose lines can be waited for; use it in a `with` block."""
        self.put({f"{name}.sh": script}, "/run")
        return Process([*self.prefix, "sh", f"/run/{name}.sh"], cwd=ROOT, env=clean_environment(), name=name)

    def must_have(self, *programs: str) -> None:
        """Fail if one of these is missing there, or if the machine does not answer."""
        ran = self.sh(
            f"for each in {' '.join(programs)}; do command -v $each >/dev/null || echo $each; done", check=False
        )
        if ran.returncode != 0 or ran.stdout:
            missing = f"lacks {' and '.join(ran.stdout.split())}" if ran.stdout else f"does not answer: {ran.stderr}"
            pytest.fail(f"the machine of SYSTEMD_MACHINE {missing}", pytrace=False)

    def must_leave(self, *ports: int) -> None:
        """Fail if something listens there already, where the units would."""
        listens = f"import socket; print(*(p for p in {ports} if not socket.socket().connect_ex(('127.0.0.1', p))))"
        if taken := self.sh(f'python3 -c "{listens}"').stdout.strip():
            pytest.fail(f"the machine of SYSTEMD_MACHINE has something that listens on {taken}", pytrace=False)

    def put(self, files: dict[str, str], folder: str) -> None:
        """Write texts to files in a folder there."""
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
        """Copy a project there; the path of its folder."""
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
        """A Redis of the tests' own, which keeps its data over a reboot."""
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
        """Properties of a unit."""
        said = self.sh(f"systemctl show {unit} {' '.join(f'-p {name}' for name in properties)}").stdout
        return dict(line.split("=", maxsplit=1) for line in said.splitlines())

    def wait_until(self, condition: str, timeout: float) -> float:
        """Wait until a shell's condition holds there; the seconds that took."""
        started = time.monotonic()
        loop = f"until {condition}; do sleep 0.2; done"
        self.sh(loop, timeout=timeout)
        return time.monotonic() - started


@dataclass(frozen=True)
class Installation:
    """A project on a machine."""

    machine: Machine
    project: BakedProject
    folder: str
    services: tuple[str, ...]

    @property
    def slug(self) -> str:
        """The project's package."""
        return self.project.slug

    @property
    def target(self) -> str:
        """All of its services."""
        return f"{self.slug}.target"

    @property
    def daemons(self) -> list[str]:
        """Its services that run on."""
        return [name for name in self.services if name != "migrate"]

    def unit(self, name: str) -> str:
        """A service: `beat`, or `worker-other@1`."""
        return f"{self.slug}-{name}.service"

    def runs(self, unit: str) -> str:
        """The release that a service runs."""
        pid = self.machine.show(unit, "MainPID")["MainPID"]
        program = self.machine.sh(f"tr '\\0' '\\n' </proc/{pid}/cmdline").stdout
        return program.partition("/bin/")[0]

    def units(self) -> list[str]:
        """Every service that belongs to it."""
        listed = self.machine.sh(f"systemctl show -P Wants {self.target}").stdout.split()
        return sorted(unit for unit in listed if unit.startswith(f"{self.slug}-"))

    def installer(self, *options: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run install.sh."""
        return self.machine.sh(f"{self.folder}/deploy/systemd/install.sh {' '.join(options)}", timeout=900, check=check)

    def upload(self) -> None:
        """Bring the machine's copy of the project up to date."""
        self.machine.copy(self.project, "/srv")

    def release(self) -> str:
        """The folder of the release that runs."""
        return self.machine.sh(f"readlink -f /opt/{self.slug}/current").stdout.strip()

    def client(self, code: str, name: str) -> str:
        """A script that runs Python of the current release, outside of the services."""
        self.machine.put({f"{name}.py": program(self.project, code)}, "/run")
        return f"set -a; . /etc/{self.slug}/environment; exec {self.release()}/bin/python -u /run/{name}.py"

    def ask(self, code: str, timeout: float = 120) -> Any:
        """What `answer` is after this code, which can `send(queue, name)`."""
        said = self.machine.sh(f"({self.client(code, 'ask')})", timeout=timeout).stdout
        return json.loads(said.splitlines()[-1])

    def running(self) -> str:
        """A shell's condition: every service is active."""
        # With several units, its exit status says that one is active.
        return f'[ -z "$(systemctl is-active {" ".join(self.units())} | grep -vx active)" ]'
