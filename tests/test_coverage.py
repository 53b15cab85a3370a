"""docs/coverage.md names files and tests that exist."""

from __future__ import annotations

import re

import pytest

from local_extensions.project import SLUG
from tests.support.variants import ROOT

pytestmark = pytest.mark.rules

ROWS = re.findall(
    r"^\| ([a-z][^|]+) \| `([^`]+)` \| `([^`:]+)::(\w+)` \|$",
    (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)


def as_generated(path: str) -> str:
    """Where a file of the template ends up in a project."""
    return re.sub(r"_options/[^/]+/[^/]+/", "", path).removeprefix("project/").replace(SLUG, "<slug>")


# What a project has, and the tests of this repository.
FILES = {
    as_generated(path.relative_to(ROOT).as_posix()): path
    for folder in ("project", "tests")
    for path in (ROOT / folder).rglob("*")
    if path.is_file()
}


def test_every_line_of_the_table_is_a_row() -> None:
    lines = [line for line in (ROOT / "docs" / "coverage.md").read_text(encoding="utf-8").splitlines() if "|" in line]

    assert len(ROWS) == len(lines) - 2  # the head
    assert len({item for item, *_ in ROWS}) == len(ROWS)


@pytest.mark.parametrize(("item", "file", "test_file", "test"), ROWS, ids=[item for item, *_ in ROWS])
def test_an_item_has_its_file_and_its_test(item: str, file: str, test_file: str, test: str) -> None:
    assert file in FILES, item
    assert test_file in FILES, item
    assert f"\ndef {test}(" in FILES[test_file].read_text(encoding="utf-8"), item


def test_every_example_is_in_the_table() -> None:
    named = {file for _, file, *_ in ROWS}
    helpers = {"src/<slug>/examples/__init__.py", "src/<slug>/examples/store.py"}

    assert {file for file in FILES if file.startswith("src/<slug>/examples/")} - helpers <= named
