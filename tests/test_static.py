"""Every variant, read and linted, not run: exact files, no residue, and every tool that knows a kind of file."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.corpus import Corpus, python_of
from tests.support.parse import assert_every_file_parses
from tests.support.variants import all_variants, few_variants, shaped_variants

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.bakery import Bakery
    from tests.support.environments import Environment
    from tests.support.project import BakedProject
    from tests.support.variants import Variant

BIN = Path(sys.executable).parent

# What every project has. <slug> is the package, <queue> each queue's module.
FILES = {
    ".dockerignore",
}
# What an answer adds.
FILES_OF = {
    ("ci", "github"): {".github/workflows/ci.yml"},
    ("ci", "gitlab"): {".gitlab-ci.yml"},
    ("ci", "none"): set(),
}

RESIDUE = {
    "Jinja": re.compile(r"(?<!\$)\{\{|\{%|%\}|\{#"),
    "the template": re.compile(r"cookiecutter|_options|\.split\b(?!\()|plan\(\)", re.IGNORECASE),
    "something unfinished": re.compile(r"\b(TODO|FIXME|XXX|TBD)\b"),
    "white space at the end of a line": re.compile(r"[ \t]+$", re.MULTILINE),
    "a run of blank lines": re.compile(r"\n\n\n\n"),
    "no line break at the end, or several": re.compile(r"([^\n]|\n\n)\Z"),
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test with `variant` every variant, one with `shaped` every one whose Python differs."""
    quick = metafunc.config.getoption("quick")
    if "variant" in metafunc.fixturenames:
        metafunc.parametrize("variant", few_variants() if quick else all_variants(), ids=str)
    if "shaped" in metafunc.fixturenames:
        metafunc.parametrize("shaped", few_variants() if quick else shaped_variants(), ids=str)


@pytest.fixture(scope="session")
def corpus(bake: Bakery, request: pytest.FixtureRequest) -> Corpus:
    """The files of all variants."""
    variants = few_variants() if request.config.getoption("quick") else all_variants()
    return Corpus(bake(**variant.answers) for variant in variants)


def lint(*command: str | Path) -> None:
    """Run a linter of this template's environment.

    Raises:
        AssertionError: it complains; the message holds what it says.
    """
    ran = subprocess.run(
        [BIN / command[0], *command[1:]],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        stdin=subprocess.DEVNULL,
    )
    assert ran.returncode == 0, f"{ran.stdout}\n{ran.stderr}"


def test_a_variant_has_exactly_its_files(variant: Variant, bake: Bakery) -> None:
    project = bake(**variant.answers)

    assert set(project.files()) == expected_files(project)


def test_a_variant_shows_no_trace_of_the_template(variant: Variant, bake: Bakery) -> None:
    project = bake(**variant.answers)
    for name in project.files():
        text = project.read(name)
        assert text or name.endswith(("__init__.py", "py.typed")), f"{name} is empty"
        found = {what: match.group() for what, pattern in RESIDUE.items() if (match := pattern.search(text))}
        assert not found, name
    assert not [path for path in project.path.rglob("*") if path.is_dir() and not any(path.iterdir())]


def test_every_file_of_a_variant_parses(variant: Variant, bake: Bakery) -> None:
    assert_every_file_parses(bake(**variant.answers))


def expected_files(project: BakedProject) -> set[str]:
    return FILES
