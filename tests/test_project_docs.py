"""The documentation of generated projects: its links, files, commands and environment variables exist."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.render import PROJECT
from tests.support.variants import dependency_variants, few_variants

if TYPE_CHECKING:
    from tests.support.bakery import Bakery
    from tests.support.project import BakedProject
    from tests.support.variants import Variant

pytestmark = pytest.mark.static

README_MAX_LINES = 130
LINK = re.compile(r"\]\((?!https?:)([^)#]*)#?([^)]*)\)")
# A file or folder of the project in a code span. `<queue>` stands for the name of any queue.
PATH = re.compile(r"`((?:deploy|docs|scripts|src)/[\w./<>-]*)`")
# Mentions of documents in comments and messages: docs/runbook.md#anchor, or README.md, 'Heading'.
DOCUMENT = re.compile(r"\b(docs/[\w-]+\.md)#?([\w-]*)")
README_HEADING = re.compile(r"README\.md, [\"']([^\"'\n]+)[\"']")
MAKE = re.compile(r"`make ([\w-]+)`")
MODULE = re.compile(r"python -m (\w+)\.(\w+)")
ALERT = re.compile(r"- alert: (\w+)")
ENDPOINT = re.compile(r"`(?:GET |POST )?(/(?:dead-letters|health|queues|runs|schedule|tasks)\b[^`?]*)")
# The passwords of the servers in compose.yaml are not variables of a process.
VARIABLE = re.compile(r"^([A-Z]\w*?)(?<!_PASSWORD)=", re.MULTILINE)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrize `variant` with a variant for each combination of dependencies, or with a few variants."""
    if "variant" in metafunc.fixturenames:
        quick = metafunc.config.getoption("quick")
        metafunc.parametrize("variant", few_variants() if quick else dependency_variants(), ids=str)


def documents_of(project: BakedProject) -> dict[str, str]:
    """Return the text of each Markdown file of a project by its path."""
    return {name: project.read(name) for name in project.files() if name.endswith(".md")}


def anchors_of(text: str) -> set[str]:
    """Return the anchors of the headings in a Markdown text, as GitHub and GitLab generate them."""
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_each_link_has_a_target(variant: Variant, bake: Bakery) -> None:
    project = bake(**variant.answers)
    documents = documents_of(project)
    assert LINK.search(documents["README.md"])
    for name, text in documents.items():
        for path, anchor in LINK.findall(text):
            target = (project.path / name).parent.joinpath(path).resolve() if path else project.path / name
            assert target.is_file(), f"{name}: {path}"
            if anchor:
                assert anchor in anchors_of(target.read_text(encoding="utf-8")), f"{name}: {path}#{anchor}"


def test_each_document_is_linked(variant: Variant, bake: Bakery) -> None:
    documents = documents_of(bake(**variant.answers))
    links = {path.rpartition("/")[2] for text in documents.values() for path, _ in LINK.findall(text)}
    # Programs read AGENTS.md without a link.
    assert {name.rpartition("/")[2] for name in documents} - links == {"README.md", "AGENTS.md"}


def test_each_mention_of_a_document_has_a_target(variant: Variant, bake: Bakery) -> None:
    project = bake(**variant.answers)
    headings = re.findall(r"^#+ (.*)$", project.read("README.md"), re.MULTILINE)
    for name in project.files():
        text = project.read(name)
        for path, anchor in DOCUMENT.findall(text):
            assert project.has_file(path), f"{name}: {path}"
            assert not anchor or anchor in anchors_of(project.read(path)), f"{name}: {path}#{anchor}"
        assert set(README_HEADING.findall(text)) <= set(headings), name


def test_each_file_and_command_exists(variant: Variant, bake: Bakery) -> None:
    project = bake(**variant.answers)
    targets = re.findall(r"^([\w-]+):", project.read("Makefile"), re.MULTILINE)
    for name, text in documents_of(project).items():
        for path in PATH.findall(text):
            assert list(project.path.glob(path.replace("<queue>", "*"))), f"{name}: {path}"
        for command in MAKE.findall(text):
            assert command in targets, f"{name}: make {command}"
        for package, module in MODULE.findall(text):
            files = (f"src/{package}/{module}.py", f"src/{package}/{module}/__main__.py")
            found = package == "django" or any(map(project.has_file, files))
            assert found, f"{name}: python -m {package}.{module}"


def test_each_alert_and_endpoint_exists(variant: Variant, bake: Bakery) -> None:
    project = bake(**variant.answers)
    documents = documents_of(project)
    rules = "deploy/monitoring/rules.yaml"
    all_alerts = ALERT.findall((PROJECT / "_features/monitoring" / rules).read_text(encoding="utf-8"))
    alerts = ALERT.findall(project.read(rules)) if project.has_file(rules) else []
    for name, text in documents.items():
        for alert in set(re.findall(r"\bCelery\w+", text)) & set(all_alerts):
            assert alert in alerts, f"{name}: {alert}"
        for path in ENDPOINT.findall(text):
            assert path.replace("NAME", "{name}") in documents.get("docs/http-api.md", ""), f"{name}: {path}"


def test_the_configuration_lists_each_environment_variable(variant: Variant, bake: Bakery) -> None:
    project = bake(**variant.answers)
    rows = re.findall(r"^\| `(\w+)` \| .+ \| .*\|$", project.read("docs/configuration.md"), re.MULTILINE)
    assert sorted(rows) == sorted(VARIABLE.findall(project.read(".env.example")))


@pytest.mark.parametrize(
    "answers",
    [{}, {"framework": "fastapi", "broker": "rabbitmq"}, {"framework": "django", "broker": "sqs", "kubernetes": True}],
    ids=["default", "fastapi-rabbitmq", "django-sqs-kubernetes"],
)
def test_the_readme_is_short(answers: dict[str, str | bool], bake: Bakery) -> None:
    assert len(bake(**answers).read("README.md").splitlines()) <= README_MAX_LINES
