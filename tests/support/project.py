"""A generated project."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.support.environments import Environment

# Prefixes of variables in a developer's shell that would change the behaviour of a project.
REMOVED_PREFIXES = (
    *("API_", "AWS_", "CELERY_", "DATABASE_", "DJANGO_", "HEARTBEAT_", "LOG_", "MAKE", "PYTEST_"),
    *("PYTHON", "REDBEAT_", "SENTRY_", "SQS_", "UV_PROJECT", "VIRTUAL"),
)


def clean_environment() -> dict[str, str]:
    """Return the environment of this process without variables that change the behaviour of a project."""
    return {name: value for name, value in os.environ.items() if not name.startswith(REMOVED_PREFIXES)}


@dataclass(frozen=True)
class BakedProject:
    """A generated project and its answers. Projects of `bake` are shared: copy them to change them."""

    path: Path
    answers: Mapping[str, str | bool]

    @property
    def slug(self) -> str:
        """The name of the package and of the project's folder."""
        return self.path.name

    @property
    def package(self) -> Path:
        """The folder of the package."""
        return self.path / "src" / self.slug

    def has_file(self, name: str) -> bool:
        """Return whether a file exists."""
        return (self.path / name).is_file()

    def read(self, name: str) -> str:
        """Return the text of a file."""
        return (self.path / name).read_text(encoding="utf-8")

    def files(self) -> list[str]:
        """Return the sorted paths of all files, relative to the project."""
        return sorted(path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if path.is_file())

    def append(self, module: str, code: str) -> None:
        """Append code to a module of the package."""
        path = self.package / module
        path.write_text(path.read_text(encoding="utf-8") + code, encoding="utf-8")

    def replace(self, module: str, old: str, new: str) -> None:
        """Replace a text that a module of the package contains once."""
        path = self.package / module
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, (module, old)
        path.write_text(text.replace(old, new), encoding="utf-8")

    def copy_to(self, folder: Path) -> BakedProject:
        """Return a writable copy in `folder`."""
        return BakedProject(shutil.copytree(self.path, folder / self.slug, symlinks=True), self.answers)

    def run(
        self,
        *command: str,
        environment: Environment | None = None,
        variables: Mapping[str, str] | None = None,
        timeout: float = 120,
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in the project.

        Args:
            command: The program and its arguments.
            environment: A virtual environment whose programs come first on PATH.
            variables: Additional environment variables.
            timeout: Seconds.
            check: Whether an exit status other than 0 is an error.

        Raises:
            AssertionError: The exit status was not 0. The message contains the output.
            subprocess.TimeoutExpired: The timeout expired.
        """
        completed = subprocess.run(
            command,
            cwd=self.path,
            env=self.variables(environment, variables),
            timeout=timeout,
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        if check and completed.returncode != 0:
            raise AssertionError(
                f"{' '.join(command)} exited with {completed.returncode}\n{completed.stdout}\n{completed.stderr}"
            )
        return completed

    def variables(
        self, environment: Environment | None = None, variables: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """Return the environment variables of a command in this project."""
        inherited = clean_environment()
        if environment is not None:
            inherited["PATH"] = f"{environment.bin}{os.pathsep}{inherited['PATH']}"
            inherited["VIRTUAL_ENV"] = str(environment.path)
        return inherited | dict(variables or {})
