"""The distinct files of all variants, so that one run of a linter covers all variants."""

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
        """The distinct files by their path in a project and the hash of their content."""
        files: dict[tuple[str, str], Path] = {}
        for project in self.projects:
            for name in project.files():
                path = project.path / name
                files.setdefault((name, sha256(path.read_bytes()).hexdigest()), path)
        return files

    def list_distinct_files(self, *patterns: str) -> list[Path]:
        """Return the distinct files whose path in the project matches a pattern, for example `deploy/**/*.sh`.

        Raises:
            AssertionError: No file matches.
        """
        found = [
            path
            for (name, _), path in self._files.items()
            if any(PurePosixPath(name).match(pattern) for pattern in patterns)
        ]
        assert found, f"no variant has a file that matches {patterns}"
        return found

    @cached_property
    def projects_with_all_statements(self) -> list[BakedProject]:
        """A small set of the projects that contains each statement of all projects."""
        missing = [hash_statements(project) for project in self.projects]
        found: list[BakedProject] = []
        while most := max(missing, key=len):
            found.append(self.projects[missing.index(most)])
            missing = [each - most for each in missing]
        return found


def hash_statements(project: BakedProject) -> set[tuple[str, str]]:
    """Return the statements of the Python modules and classes as pairs of a file name and a hash.

    The hash ignores values of numbers and texts, the package's name, and the number of equal elements of a list.
    """
    return {
        (name.replace(project.slug, "{slug}"), code)
        for name in project.files()
        if name.endswith(".py")
        for code in hash_module_statements(project.read(name).replace(project.slug, "slug"))
    }


@lru_cache(maxsize=16384)
def hash_module_statements(text: str) -> frozenset[str]:
    """Return the hashes of a module's statements. Each statement of a class has a separate hash."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant):
            node.value = type(node.value).__name__
    # Inner nodes first, so that equal elements compare equal.
    for node in reversed(list(ast.walk(tree))):
        if isinstance(node, ast.List | ast.Set):
            node.elts = list({ast.dump(element): element for element in node.elts}.values())
    return frozenset(
        sha256(code.encode()).hexdigest() for statement in tree.body for code in dump_statements(statement)
    )


def dump_statements(statement: ast.stmt) -> Iterator[str]:
    """Yield the dump of a statement, or of each statement of a class, prefixed by the class."""
    if not isinstance(statement, ast.ClassDef):
        yield ast.dump(statement)
        return
    body, statement.body = statement.body, []
    head = ast.dump(statement)
    for each in body:
        yield head + ast.dump(each)
