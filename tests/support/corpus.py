"""All variants' files, each distinct content once, so that one run of a linter covers every variant."""

from __future__ import annotations

import ast
from functools import cached_property, lru_cache
from hashlib import sha256
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
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

    @cached_property
    def with_all_python(self) -> list[BakedProject]:
        """So few of these files' projects that each statement of any project is in one of them."""
        missing = [python_of(project) for project in self.projects]
        found: list[BakedProject] = []
        while most := max(missing, key=len):
            found.append(self.projects[missing.index(most)])
            missing = [each - most for each in missing]
        return found


def python_of(project: BakedProject) -> set[tuple[str, str]]:
    """Each statement of each Python module and of its classes, by the file's name and a hash of its code.

    Neither the values of numbers and texts count, only their types, nor the package's name, nor how many elements of
    one kind a list has.
    """
    return {
        (name.replace(project.slug, "{slug}"), code)
        for name in project.files()
        if name.endswith(".py")
        for code in codes_of(project.read(name).replace(project.slug, "slug"))
    }


@lru_cache(maxsize=16384)
def codes_of(text: str) -> frozenset[str]:
    """A hash of each statement at a module's left margin, or in a class there."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            node.value = type(node.value).__name__
    # From the inside out, so that elements are alike when what is in them is.
    for node in reversed(list(ast.walk(tree))):
        if isinstance(node, ast.List | ast.Set):
            node.elts = list({ast.dump(element): element for element in node.elts}.values())
    return frozenset(sha256(code.encode()).hexdigest() for statement in tree.body for code in units_of(statement))


def units_of(statement: ast.stmt) -> Iterator[str]:
    """The code of a statement, or of each statement of a class, with its class."""
    if not isinstance(statement, ast.ClassDef):
        yield ast.dump(statement)
        return
    body, statement.body = statement.body, []
    head = ast.dump(statement)
    for each in body:
        yield head + ast.dump(each)
