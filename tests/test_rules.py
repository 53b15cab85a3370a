"""The rules for the template's source files."""

from __future__ import annotations

import ast
import functools
import json
import os
import re
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from jinja2 import Environment, nodes

from local_extensions import catalogue
from tests.support.answers import DEFAULTS, plan_of
from tests.support.lint import lint
from tests.support.variants import ROOT, all_variants, choices, questions

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PROJECT = ROOT / "{{cookiecutter.project_slug}}"
FEATURES = PROJECT / "_features"
PARTIALS = ROOT / "templates"
SOURCES = sorted(path for folder in (PROJECT, PARTIALS) for path in folder.rglob("*") if path.is_file())
DOCS = sorted((ROOT / "docs").glob("*.md"))


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@functools.cache
def feature_tables() -> list[Mapping[str, bool]]:
    """Return the distinct feature tables of all variants in the tests."""
    tables = {tuple(plan_of(**{**DEFAULTS, **each.answers}).features.items()) for each in all_variants()}
    return [dict(table) for table in sorted(tables)]


def test_the_template_has_sources() -> None:
    assert len(SOURCES) > 200


@pytest.mark.parametrize("folder", sorted(FEATURES.iterdir()), ids=lambda folder: folder.name)
def test_a_feature_folder_is_named_after_a_feature(folder: Path) -> None:
    assert folder.name in feature_tables()[0]
    assert files_below(folder)
    assert not list(folder.rglob("_features"))


@pytest.mark.parametrize("feature", sorted(feature_tables()[0]))
def test_a_feature_is_enabled_in_some_variants_and_disabled_in_others(feature: str) -> None:
    assert {table[feature] for table in feature_tables()} == {True, False}


def test_each_feature_is_used() -> None:
    folders = {path.name for path in FEATURES.iterdir()}
    named = set(re.findall(r"features\.(\w+)", "".join(path.read_text(encoding="utf-8") for path in SOURCES)))

    assert named <= feature_tables()[0].keys()
    assert feature_tables()[0].keys() <= folders | named


def test_no_path_has_two_sources_in_any_variant() -> None:
    tree = {path for path in files_below(PROJECT) if not path.startswith("_features/")}
    of_feature = {folder.name: files_below(folder) for folder in FEATURES.iterdir()}
    for table in feature_tables():
        sources = Counter(tree)
        for feature, enabled in table.items():
            sources.update(of_feature.get(feature, ()) if enabled else ())
        assert not [path for path, count in sources.items() if count > 1], table


def syntax_tree(path: Path) -> nodes.Template:
    return Environment().parse(path.read_text(encoding="utf-8"))  # noqa: S701 - only parsed


def included_by(path: Path) -> set[str]:
    includes = syntax_tree(path).find_all((nodes.Include, nodes.FromImport, nodes.Import))
    templates = [
        include.template for include in includes if isinstance(include, nodes.Include | nodes.FromImport | nodes.Import)
    ]
    return {template.value for template in templates if isinstance(template, nodes.Const)}


def test_each_partial_is_included_and_exists() -> None:
    included = set().union(*map(included_by, SOURCES))
    # A project file may include another project file, to repeat it in a different format.
    copied = {path for path in included if path.startswith("_features/")}
    assert copied <= files_below(PROJECT)
    assert included - copied == files_below(PARTIALS)


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_if_block_has_both_elif_and_else(path: Path) -> None:
    for block in syntax_tree(path).find_all(nodes.If):
        assert not (block.elif_ and block.else_), f"line {block.lineno}: write an elif for each answer, and no else"


@pytest.mark.parametrize("path", sorted((ROOT / "local_extensions").glob("*.py")), ids=name)
def test_python_contains_no_text_of_generated_files(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef)
    docstrings = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, documented)}
    # Include strings that document constants.
    docstrings |= {text_of(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    texts = {text_of(node) for node in ast.walk(tree)} - docstrings
    # Several lines, indentation, and the beginnings of Markdown, YAML, Makefile and comment lines.
    fragments = re.compile(r"\n.|^ {2,}\S|^\t|^#+ |^\|.*\||^- \w|^[\w-]+: \S|\{slug\}")

    assert not [text for text in texts if text and fragments.search(text)]


# A new broker or server without a branch would have no lines, without an error.
ANSWERS_WITH_BRANCHES = [
    {f"features.{broker.name}" for broker in catalogue.BROKERS},
    {f"server.name == {server.name}" for server in (catalogue.REDIS, catalogue.RABBITMQ, catalogue.POSTGRES)},
]


def conditions_of(block: nodes.If) -> list[set[str]]:
    """Return the features, and the names of servers, that each branch of an if block tests."""
    branches = [block, *block.elif_]
    found = []
    for branch in branches:
        features = {
            f"features.{test.attr}"
            for test in (branch.test, *branch.test.find_all(nodes.Getattr))
            if isinstance(test, nodes.Getattr) and isinstance(test.node, nodes.Getattr) and test.node.attr == "features"
        }
        names = {
            f"server.name == {operand.expr.value}"
            for operand in branch.test.find_all(nodes.Operand)
            if isinstance(operand.expr, nodes.Const)
        }
        found.append(features | names)
    return found


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_an_if_block_on_brokers_or_servers_is_complete(path: Path) -> None:
    for block in syntax_tree(path).find_all(nodes.If):
        branches = conditions_of(block)
        for answers in ANSWERS_WITH_BRANCHES:
            apart = [branch & answers for branch in branches if branch & answers]
            missing = answers - set().union(*apart)
            assert len(apart) < 2 or not missing, f"line {block.lineno}: no branch for {sorted(missing)}"


def text_of(node: ast.AST) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def test_each_question_has_a_prompt() -> None:
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


def test_the_reference_contains_each_question_and_choice() -> None:
    reference = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")
    answers = [answer for offered in choices().values() for answer in offered if isinstance(answer, str)]
    names = [name for answer in answers for name in answer.split(", ")]  # extras are a list

    missing = [word for word in (*questions(), *names) if f"`{word}`" not in reference]
    assert not missing


@pytest.mark.parametrize("document", ["README.md", "CONTRIBUTING.md", *(f"docs/{path.name}" for path in DOCS)])
def test_each_link_in_a_document_has_a_target(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", text)

    assert [link for link in links if not (ROOT / document).parent.joinpath(link).exists()] == []


def test_the_lock_file_contains_only_the_public_registry() -> None:
    lock = (ROOT / "uv.lock").read_text(encoding="utf-8")

    assert set(re.findall(r"https?://([^/\"]+)", lock)) == {"pypi.org", "files.pythonhosted.org"}


def test_the_lock_file_of_the_dashboard_image_contains_no_registry() -> None:
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
        "check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml",
        "validate-pyproject pyproject.toml",
        "pre-commit validate-config",
    ],
    ids=lambda command: command.split()[0],
)
def test_linters_accept_the_files_of_the_template(command: str) -> None:
    lint(*command.split())


@pytest.mark.xdist_group("rules")
def test_tests_of_a_group_run_in_one_process(request: pytest.FixtureRequest) -> None:
    # pytest-xdist distributes tests by this suffix. Tests of a group share servers and state.
    if "PYTEST_XDIST_WORKER" in os.environ:
        assert request.node.nodeid.endswith("@rules")
