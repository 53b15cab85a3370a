"""Installed environments, each from a lock that is resolved once for each set of dependencies."""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.locks import locked
from tests.support.variants import ROOT

if TYPE_CHECKING:
    from tests.support.project import BakedProject

OLDEST, NEWEST = (3, 11), (3, 14)


@dataclass(frozen=True)
class Environment:
    """A virtual environment with a project's dependencies and its development tools."""

    path: Path

    @property
    def bin(self) -> Path:
        """Where its programs are."""
        return self.path / "bin"

    @property
    def python(self) -> str:
        """Its interpreter."""
        return str(self.bin / "python")


def uv() -> str:
    """The uv on PATH, or the one that make installed.

    Raises:
        RuntimeError: there is neither.
    """
    installed = ROOT / ".uv" / "bin" / "uv"
    found = shutil.which("uv") or (str(installed) if installed.exists() else None)
    if found is None:
        raise RuntimeError("there is no uv: run the tests with make")
    return found


@functools.cache
def interpreters() -> dict[str, str]:
    """The Pythons of this machine that a generated project supports: version, for example "3.13", to path."""
    candidates = [Path(sys.executable)]
    for minor in range(OLDEST[1], NEWEST[1] + 1):
        candidates += filter(None, [Path(shutil.which(f"python3.{minor}") or "")])
        candidates += sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python3.{minor}"))
    found: dict[str, str] = {}
    for candidate in candidates:
        if not candidate.is_file():
            continue
        asked = subprocess.run(
            [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=False,
        )
        # A pyenv shim for a version that is not chosen fails.
        if asked.returncode == 0:
            found.setdefault(asked.stdout.strip(), str(candidate))
    return found


def install(project: BakedProject, shared: Path, python: str = sys.executable) -> Environment:
    """An environment with exactly what the project locks, as its Makefile makes it, until the next one is asked for.

    Each pytest-xdist worker has one for each interpreter, which uv brings from one project to the next: what they have
    in common stays, and stays compiled, which is most of the time that a new environment's first processes take.

    Args:
        project: a copy, which gets a `uv.lock`.
        shared: a folder that all pytest-xdist workers use.
        python: the interpreter.

    Raises:
        AssertionError: the dependencies cannot be resolved or installed; uv's words are in the message.
    """
    lock(project, shared, python)
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    folder = shared / "environments" / f"{worker}-{hashlib.sha256(python.encode()).hexdigest()[:8]}"
    command = [uv(), "sync", "--quiet", "--frozen", "--python", python]
    project.run(*command, variables={"UV_PROJECT_ENVIRONMENT": str(folder)}, timeout=600)
    return Environment(folder)


def lock(project: BakedProject, shared: Path, python: str) -> None:
    """Write a project's `uv.lock`, which is resolved once for each set of dependencies."""
    declared = tomllib.loads(project.read("pyproject.toml"))
    facts = [declared["project"][key] for key in ("version", "requires-python", "dependencies")]
    name = hashlib.sha256(json.dumps([*facts, declared["dependency-groups"]]).encode()).hexdigest()[:16]
    resolved = shared / "locks" / name
    # Nothing else in the lock tells whose it is.
    own, anybody = f'name = "{declared["project"]["name"]}"', 'name = "{name}"'
    with locked(resolved.with_suffix(".guard")):
        if not resolved.exists():
            project.run(uv(), "lock", "--quiet", "--python", python, timeout=300)
            resolved.write_text(project.read("uv.lock").replace(own, anybody), encoding="utf-8")
    (project.path / "uv.lock").write_text(resolved.read_text(encoding="utf-8").replace(anybody, own), encoding="utf-8")
