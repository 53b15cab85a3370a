"""The files and tests in docs/coverage.md and docs/guarantees.md exist."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.answers import ROOT
from tests.support.render import PROJECT, SLUG

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.rules

ROWS = re.findall(
    r"^\| ([a-z][^|]+) \| `([^`]+)` \| `([^`:]+)::(\w+)` \|$",
    (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)


def generated_path(path: Path) -> str:
    """Return the path in a generated project of a template file."""
    relative = path.relative_to(PROJECT).as_posix()
    return re.sub(r"^_features/[^/]+/", "", relative).replace(SLUG, "<slug>")


# The sources of the project's files, several for some of them, and the tests of this repository.
FILES: dict[str, list[Path]] = {}
for source in sorted(path for path in PROJECT.rglob("*") if path.is_file()):
    FILES.setdefault(generated_path(source), []).append(source)
for source in (ROOT / "tests").rglob("*.py"):
    FILES.setdefault(source.relative_to(ROOT).as_posix(), []).append(source)


def test_each_line_of_the_table_is_a_row() -> None:
    lines = [line for line in (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8").splitlines() if "|" in line]

    assert len(ROWS) == len(lines) - 2  # the header
    assert len({item for item, *_ in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("item", "file", "test_file", "test"), ROWS, ids=[item for item, *_ in ROWS])
def test_the_file_and_the_test_of_an_item_exist(item: str, file: str, test_file: str, test: str) -> None:
    assert file in FILES, item
    assert test_file in FILES, item
    sources = [path.read_text(encoding="utf-8") for path in FILES[test_file]]
    assert any(f"\ndef {test}(" in text for text in sources), item


def test_each_example_is_in_the_table() -> None:
    named = {file for _, file, *_ in ROWS}
    helpers = {"src/<slug>/examples/__init__.py", "src/<slug>/examples/store.py"}

    assert {file for file in FILES if file.startswith("src/<slug>/examples/")} - helpers <= named


def test_the_test_of_each_guarantee_exists() -> None:
    lines = (ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.startswith("| ") and not line.startswith("| fault |")]
    named = [re.fullmatch(r"\| .* \| `([^`:]+)::(\w+)` \|", row) for row in rows]

    assert len(rows) > 20
    for row, found in zip(rows, named, strict=True):
        assert found, row
        assert f"\ndef {found[2]}(" in (ROOT / found[1]).read_text(encoding="utf-8"), row
