"""All variants' files, each distinct content once, so that one run of a linter covers every variant."""

from __future__ import annotations

from functools import cached_property
from hashlib import sha256
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tests.support.project import BakedProject


class Corpus:
    """The files of many projects."""

    def __init__(self, projects: Iterable[BakedProject]) -> None:
        self.projects = list(projects)

    @cached_property
    def _files(self) -> dict[tuple[str, str], Path]:
        """Each distinct file, by its path in a project and its content's hash."""
        files: dict[tuple[str, str], Path] = {}
        for project in self.projects:
            for name in project.files():
                path = project.path / name
                files.setdefault((name, sha256(path.read_bytes()).hexdigest()), path)
        return files

    def distinct(self, *patterns: str) -> list[Path]:
        """The distinct files whose path in the project matches one of these patterns, for example `deploy/**/*.sh`.

        Raises:
            AssertionError: no file matches, so that what checks them would check nothing.
        """
        found = [
            path
            for (name, _), path in self._files.items()
            if any(PurePosixPath(name).match(pattern) for pattern in patterns)
        ]
        assert found, f"no variant has a file like {patterns}"
        return found


def python_of(project: BakedProject) -> str:
    """A hash of all that decides whether a project's types are right: its Python and its tools' settings."""
    digest = sha256()
    for name in project.files():
        if name.endswith(".py"):
            digest.update(f"{name}\n{project.read(name)}\n".encode())
    _, _, settings = project.read("pyproject.toml").partition("[tool.")
    digest.update(settings.encode())
    return digest.hexdigest()
