"""Virtual environments of projects. Each set of dependencies is resolved once."""

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

from tests.support.locks import hold_lock
from tests.support.variants import ROOT

if TYPE_CHECKING:
    from tests.support.project import BakedProject

OLDEST, NEWEST = (3, 11), (3, 14)


@dataclass(frozen=True)
class Environment:
    """A virtual environment with the dependencies and development tools of a project."""

    path: Path

    @property
    def bin(self) -> Path:
        """The folder of the programs."""
        return self.path / "bin"

    @property
    def python(self) -> str:
        """The path of the interpreter."""
        return str(self.bin / "python")


def find_uv() -> str:
    """Return the path of uv on PATH, or of the uv that make installed.

    Raises:
        RuntimeError: uv is not installed.
    """
    installed = ROOT / ".uv" / "bin" / "uv"
    found = shutil.which("uv") or (str(installed) if installed.exists() else None)
    if found is None:
        raise RuntimeError("uv is not installed: run the tests with make")
    return found


@functools.cache
def find_interpreters() -> dict[str, str]:
    """Return the paths of the supported Python interpreters on this machine by version, for example "3.13"."""
    candidates = [Path(sys.executable)]
    for minor in range(OLDEST[1], NEWEST[1] + 1):
        candidates += filter(None, [Path(shutil.which(f"python3.{minor}") or "")])
        candidates += sorted(Path.home().glob(f".pyenv/versions/3.{minor}.*/bin/python3.{minor}"))
    found: dict[str, str] = {}
    for candidate in candidates:
        if not candidate.is_file():
            continue
        completed = subprocess.run(
            [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
            capture_output=True,
            text=True,
            check=False,
        )
        # The pyenv shim of an unselected version fails.
        if completed.returncode == 0:
            found.setdefault(completed.stdout.strip(), str(candidate))
    return found


def install(project: BakedProject, shared_folder: Path, python: str = sys.executable) -> Environment:
    """Install the locked packages of a project, as its Makefile does. The next call replaces them.

    Each pytest-xdist worker has one environment per interpreter, which uv synchronizes with each project: common
    packages stay installed and compiled.

    Args:
        project: A copied project, in which `uv.lock` is written.
        shared_folder: A folder that all pytest-xdist workers share.
        python: The interpreter.

    Raises:
        AssertionError: uv failed. The message contains its output.
    """
    write_lock_file(project, shared_folder, python)
    worker = os.environ.get("PYTEST_XDIST_WORKER", "main")
    folder = shared_folder / "environments" / f"{worker}-{hashlib.sha256(python.encode()).hexdigest()[:8]}"
    command = [find_uv(), "sync", "--quiet", "--frozen", "--python", python]
    project.run(*command, variables={"UV_PROJECT_ENVIRONMENT": str(folder)}, timeout=600)
    return Environment(folder)


def write_lock_file(project: BakedProject, shared_folder: Path, python: str) -> None:
    """Write the `uv.lock` of a project. Each set of dependencies is resolved once."""
    declared = tomllib.loads(project.read("pyproject.toml"))
    requirements = [declared["project"][key] for key in ("version", "requires-python", "dependencies")]
    name = hashlib.sha256(json.dumps([*requirements, declared["dependency-groups"]]).encode()).hexdigest()[:16]
    resolved = shared_folder / "locks" / name
    # The lock file contains no other data of the project.
    name_line, generic_line = f'name = "{declared["project"]["name"]}"', 'name = "{name}"'
    with hold_lock(resolved.with_suffix(".guard")):
        if not resolved.exists():
            project.run(find_uv(), "lock", "--quiet", "--python", python, timeout=300)
            resolved.write_text(project.read("uv.lock").replace(name_line, generic_line), encoding="utf-8")
    (project.path / "uv.lock").write_text(
        resolved.read_text(encoding="utf-8").replace(generic_line, name_line), encoding="utf-8"
    )
