"""All variants' files, each distinct content once, so that one run of a linter covers every variant."""

from __future__ import annotations

import ast
from functools import cached_property, lru_cache
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

    def beyond(self, projects: Iterable[BakedProject]) -> list[BakedProject]:
        """So few of these files' projects that no Python is left that is neither in them nor in the given ones."""
        known = set().union(*map(python_of, projects))
        missing = [python_of(project) - known for project in self.projects]
        found: list[BakedProject] = []
        while most := max(missing, key=len):
            found.append(self.projects[missing.index(most)])
            missing = [each - most for each in missing]
        return found


def python_of(project: BakedProject) -> set[tuple[str, str]]:
    """Each statement at the left margin of each Python file, by the file's name and a hash of its code.

    The values of numbers and texts do not count, only their types.
    """
    return {
        (name.replace(project.slug, "{slug}"), code)
        for name in project.files()
        if name.endswith(".py")
        for code in codes_of(project.read(name))
    }


@lru_cache(maxsize=16384)
def codes_of(text: str) -> frozenset[str]:
    """A hash of each statement of a module."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            node.value = type(node.value).__name__
    return frozenset(sha256(ast.dump(statement).encode()).hexdigest() for statement in tree.body)
