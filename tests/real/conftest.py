"""The engines of this tier, and its table."""

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


def figure(request: pytest.FixtureRequest, what: str, value: str) -> None:
    """Put a row into the table at the end."""
    subject = getattr(request.node, "callspec", None)
    request.node.user_properties.append((FIGURE, (subject.id if subject else "", what, value)))


@pytest.fixture(scope="session")
def docker() -> str:
    """The version of a Docker engine that answers, with Compose."""
    wanted = {"Docker engine": ["docker", "version", "--format", "{{.Server.Version}}"]}
    wanted |= {"buildx": ["docker", "buildx", "version"], "Docker Compose": ["docker", "compose", "version"]}
    answers = []
    for name, command in wanted.items():
        try:
            ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        except FileNotFoundError:
            pytest.fail(f"{name} is missing: there is no docker on PATH", pytrace=False)
        if ran.returncode != 0:
            pytest.fail(f"{name} does not answer: {ran.stderr.strip()}", pytrace=False)
        answers.append(ran.stdout.strip())
    return answers[0]


@pytest.fixture(scope="session")
def machine() -> Iterator[Machine]:
    """A machine with systemd, as root."""
    prefix = os.environ.get("SYSTEMD_MACHINE", "")
    if not prefix:
        pytest.fail(
            "SYSTEMD_MACHINE is not set. It is what runs a command as root on a disposable machine with systemd,"
            " python3 with venv, and redis-server, for example: SYSTEMD_MACHINE='ssh root@192.0.2.1'",
            pytrace=False,
        )
    with Machine(shlex.split(prefix)) as running:
        running.must_have("systemctl", "runuser", "tar", "python3", "redis-server")
        running.must_leave(5555, 8000, *range(9699, 9703))
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what was found."""
    rows = [
        value
        for reports in terminalreporter.stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == FIGURE and getattr(report, "when", "") == "call"
    ]
    if rows:
        terminalreporter.section("what was found on real engines")
    for subject, what, value in sorted(rows, key=lambda row: row[0]):  # parts that ran side by side are mixed
        terminalreporter.write_line(f"{subject:<18}{what:<62}{value}")
