"""A generated project, as the tests see it."""

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

# What a developer's shell may hold and a test must not see.
PRIVATE_VARIABLES = (
    *("API_", "AWS_", "CELERY_", "DATABASE_", "DJANGO_", "HEARTBEAT_", "LOG_", "MAKE", "PYTEST_"),
    *("PYTHON", "REDBEAT_", "SENTRY_", "SQS_", "UV_PROJECT", "VIRTUAL"),
)


def clean_environment() -> dict[str, str]:
    """This process's environment without what would change how a project behaves."""
    return {name: value for name, value in os.environ.items() if not name.startswith(PRIVATE_VARIABLES)}


@dataclass(frozen=True)
class BakedProject:
    """A generated project and the answers that made it. Those that `bake` returns are shared: copy before you write."""

    path: Path
    answers: Mapping[str, str | bool]

    @property
    def slug(self) -> str:
        """The project's package, which is also its folder's name."""
        return self.path.name

    @property
    def package(self) -> Path:
        """The package's folder."""
        return self.path / "src" / self.slug

    def has_file(self, name: str) -> bool:
        """Whether this file exists, by its path in the project."""
        return (self.path / name).is_file()

    def read(self, name: str) -> str:
        """A file's text."""
        return (self.path / name).read_text(encoding="utf-8")

    def files(self) -> list[str]:
        """The path in the project of every file, sorted."""
        return sorted(path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if path.is_file())

    def copy_to(self, folder: Path) -> BakedProject:
        """A copy in `folder` that a test may write to."""
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
            command: the program and its arguments, no shell.
            environment: an installed environment, whose programs come first.
            variables: environment variables to add.
            timeout: seconds.
            check: whether an exit status other than 0 is an error.

        Raises:
            AssertionError: the exit status was not 0; the message holds the output.
            subprocess.TimeoutExpired: it took too long.
        """
        ran = subprocess.run(
            command,
            cwd=self.path,
            env=self.variables(environment, variables),
            timeout=timeout,
            check=False,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        if check and ran.returncode != 0:
            raise AssertionError(f"{' '.join(command)} ended with {ran.returncode}\n{ran.stdout}\n{ran.stderr}")
        return ran

    def variables(
        self, environment: Environment | None = None, variables: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """The environment variables that a command in this project gets."""
        inherited = clean_environment()
        if environment is not None:
            inherited["PATH"] = f"{environment.bin}{os.pathsep}{inherited['PATH']}"
            inherited["VIRTUAL_ENV"] = str(environment.path)
        return inherited | dict(variables or {})
