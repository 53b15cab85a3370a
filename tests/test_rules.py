"""The rules that keep the template readable (docs/decisions.md says why)."""

from __future__ import annotations

import itertools
import json
import os
import re
from typing import TYPE_CHECKING

import pytest

from local_extensions.project import SLUG
from tests.support.answers import plan_of
from tests.support.lint import lint
from tests.support.variants import ROOT, choices, core_answers, questions

if TYPE_CHECKING:
    from pathlib import Path

PROJECT = ROOT / "project"
SOURCES = sorted(path for folder in (PROJECT, ROOT / "templates") for path in folder.rglob("*") if path.is_file())
TAG = re.compile(r"\{%[-+]?\s*(\w+)")
OUTPUT = re.compile(r"\{\{.*?\}\}", re.DOTALL)
# These stand inside a block or end one; all others begin one.
INNER_TAGS = {"else", "elif"}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def tags(path: Path) -> list[str]:
    return TAG.findall(path.read_text(encoding="utf-8"))


def yields_python(path: Path) -> bool:
    """Whether it renders to Python: by its own name, or by the names that a .split file gives its pieces."""
    if path.suffix == ".split":
        return bool(re.search(r"^=== .*\.py ===$", path.read_text(encoding="utf-8"), re.MULTILINE))
    return path.suffix == ".py"


def test_the_template_has_sources() -> None:
    assert len(SOURCES) > 30


@pytest.mark.parametrize("path", [path for path in SOURCES if yields_python(path)], ids=name)
def test_python_holds_no_condition(path: Path) -> None:
    assert not {"if", "elif"} & set(tags(path))
    conditional = [text for text in OUTPUT.findall(path.read_text(encoding="utf-8")) if re.search(r"\bif\b", text)]
    assert not conditional


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_ifs_are_not_nested_and_blocks_are_few(path: Path) -> None:
    depth = 0
    for tag in tags(path):
        depth += {"if": 1, "endif": -1}.get(tag, 0)
        assert depth <= 1, "an if inside an if"
    blocks = [tag for tag in tags(path) if not tag.startswith("end") and tag not in INNER_TAGS]
    assert len(blocks) <= 3, blocks


def test_at_most_one_file_in_eight_has_a_block() -> None:
    with_block = [name(path) for path in SOURCES if tags(path)]

    assert len(with_block) * 8 <= len(SOURCES), f"{len(with_block)} of {len(SOURCES)}: {with_block}"


def test_no_path_depends_on_an_answer() -> None:
    rendered = {expression for path in SOURCES for expression in re.findall(r"\{[{%].*?[%}]\}", name(path))}

    assert rendered <= {SLUG}


def test_cookiecutter_itself_renders_one_name() -> None:
    # It would take a millisecond for each more, and leave what it has written when a later one fails.
    assert [path.name for path in (ROOT / SLUG).rglob("*")] == ["{{write_project()}}"]


def option_folders() -> list[Path]:
    return sorted(folder for folder in PROJECT.rglob("_options/*/*") if folder.is_dir())


def test_every_option_folder_names_a_question_and_answers_that_exist() -> None:
    known: dict[str, set[str]] = {}
    for question, offered in choices().items():
        known[question] = {str(answer).lower() if isinstance(answer, bool) else answer for answer in offered}
    # What the plan works out from the answers, such as whether there is a beat.
    for answers, jobs in itertools.product(core_answers(), ("", "tidy = @daily")):
        for question, answer in plan_of(**answers, beat_jobs=jobs).options.items():
            known.setdefault(question, set()).add(answer)
    assert option_folders()
    for folder in option_folders():
        question = folder.parent.name
        assert question in known, name(folder)
        assert set(folder.name.split("+")) <= known[question], name(folder)


@pytest.mark.parametrize("folder", option_folders(), ids=name)
def test_an_option_folder_holds_files(folder: Path) -> None:
    assert any(path.is_file() for path in folder.rglob("*"))


def test_every_question_has_a_prompt() -> None:
    context = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))

    assert list(context["__prompts__"]) == list(questions())
    for question, offered in choices().items():
        prompt = context["__prompts__"][question]
        if isinstance(prompt, dict):
            assert set(prompt) == {"__prompt__", *offered}, question


def test_the_last_variable_checks_all_answers() -> None:
    context = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    rendered = [key for key in context if key != "__prompts__"]

    assert rendered[-1] == "__check"
    assert context["__check"] == "{{ check() }}"


@pytest.mark.parametrize("document", ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "LICENSE", "docs/decisions.md"])
def test_a_document_exists(document: str) -> None:
    assert (ROOT / document).read_text(encoding="utf-8").strip()


def test_the_readme_names_every_question_and_answer() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    answers = [answer for offered in choices().values() for answer in offered if isinstance(answer, str)]

    missing = [word for word in (*questions(), *answers) if f"`{word}`" not in readme]
    assert not missing


def test_the_lock_file_names_only_the_public_registry() -> None:
    lock = (ROOT / "uv.lock").read_text(encoding="utf-8")

    assert set(re.findall(r"https?://([^/\"]+)", lock)) == {"pypi.org", "files.pythonhosted.org"}


def test_the_lock_file_of_the_picture_names_no_registry() -> None:
    lock = json.loads((ROOT / "docs" / "dashboard" / "package-lock.json").read_text(encoding="utf-8"))

    assert not [name for name, package in lock["packages"].items() if "resolved" in package]


@pytest.mark.parametrize(
    "command",
    [
        "ruff check",
        "ruff format --check",
        "mypy",
        "shellcheck .ci/run tests/support/install-brokers.sh tests/support/install-uv.sh",
        "shfmt --diff --indent 2 .ci/run tests/support",
        "yamllint --strict .github .pre-commit-config.yaml .yamllint.yaml",
        "actionlint",
        "zizmor --offline --quiet .github",
        "validate-pyproject pyproject.toml",
        "pre-commit validate-config",
    ],
    ids=lambda command: command.split()[0],
)
def test_the_templates_own_files_are_clean(command: str) -> None:
    lint(*command.split())


@pytest.mark.xdist_group("rules")
def test_tests_of_a_group_are_kept_together(request: pytest.FixtureRequest) -> None:
    # By this name pytest-xdist sends them to one process: tests of a group share servers, and what came before.
    if "PYTEST_XDIST_WORKER" in os.environ:
        assert request.node.nodeid.endswith("@rules")
