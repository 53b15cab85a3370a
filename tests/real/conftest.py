"""The engines of this tier, and the table of its figures."""

from __future__ import annotations

import os
import shlex
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.real.machine import Machine

if TYPE_CHECKING:
    from collections.abc import Iterator

FIGURE = "figure"


def add_figure(request: pytest.FixtureRequest, name: str, value: str) -> None:
    """Add a row to the table in the summary."""
    parameters = getattr(request.node, "callspec", None)
    request.node.user_properties.append((FIGURE, (parameters.id if parameters else "", name, value)))


@pytest.fixture(scope="session")
def docker_version() -> str:
    """Return the version of the Docker engine. Fail if the engine, buildx or Compose is missing."""
    commands = {"Docker engine": ["docker", "version", "--format", "{{.Server.Version}}"]}
    commands |= {"buildx": ["docker", "buildx", "version"], "Docker Compose": ["docker", "compose", "version"]}
    versions = []
    for name, command in commands.items():
        try:
            completed = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        except FileNotFoundError:
            pytest.fail(f"{name} is missing: docker is not on PATH", pytrace=False)
        if completed.returncode != 0:
            pytest.fail(f"{name} is not available: {completed.stderr.strip()}", pytrace=False)
        versions.append(completed.stdout.strip())
    return versions[0]


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    """Return the machine with systemd."""
    prefix = os.environ.get("SYSTEMD_MACHINE", "")
    if not prefix:
        pytest.fail(
            "SYSTEMD_MACHINE is not set. It runs a command as root on a disposable machine with systemd,"
            " python3 with venv, and redis-server, for example: SYSTEMD_MACHINE='ssh root@192.0.2.1'",
            pytrace=False,
        )
    with Machine(shlex.split(prefix)) as running:
        running.require_programs("systemctl", "runuser", "tar", "python3", "redis-server")
        running.require_free_ports(5555, 8000, *range(9699, 9703))
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of figures."""
    rows = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == FIGURE and getattr(report, "when", "") == "call"
    ]
    if rows:
        terminalreporter.section("figures of the real engines")
    for variant, name, value in sorted(rows, key=lambda row: row[0]):  # parallel tests mix their rows
        terminalreporter.write_line(f"{variant:<18}{name:<62}{value}")
