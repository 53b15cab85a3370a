"""Installed environments: a project has its own, from a lock that is resolved once for each set of dependencies."""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.locks import locked

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
    """The uv that make put on PATH.

    Raises:
        RuntimeError: there is none.
    """
    found = shutil.which("uv")
    if found is None:
        raise RuntimeError("uv is not on PATH: run the tests with make")
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
    """The project's own environment, as its Makefile makes it; variants with the same dependencies share the lock.

    Args:
        project: a copy, which gets a `.venv` and a `uv.lock`.
        shared: a folder that all pytest-xdist workers use.
        python: the interpreter.

    Raises:
        AssertionError: the dependencies cannot be resolved or installed; uv's words are in the message.
    """
    lock = shared / "locks" / f"{dependencies(project)}.lock"
    with locked(lock.with_suffix(".guard")):
        if not lock.exists():
            project.run(uv(), "lock", "--quiet", "--python", python, timeout=300)
            shutil.copy(project.path / "uv.lock", lock)
    shutil.copy(lock, project.path / "uv.lock")
    project.run(uv(), "sync", "--quiet", "--frozen", "--python", python, timeout=600)
    return Environment(project.path / ".venv")


def dependencies(project: BakedProject) -> str:
    """A hash of what a project's lock file follows from."""
    declared = tomllib.loads(project.read("pyproject.toml"))
    names = (declared["project"][key] for key in ("name", "version", "requires-python", "dependencies"))
    return hashlib.sha256(json.dumps([*names, declared["dependency-groups"]]).encode()).hexdigest()[:16]
