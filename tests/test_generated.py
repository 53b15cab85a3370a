"""The test suites of variants, in their installed environments."""

from __future__ import annotations

import re
import shutil
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from tests.conftest import count
from tests.support.environments import find_interpreters
from tests.support.owner import ADDED_QUEUE, OWNER_PROJECTS, bake_without_and_with_queue, count_added_lines
from tests.support.variants import dependency_variants, few_variants, suite_variants

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from subprocess import CompletedProcess

    from tests.support.bakery import Bakery
    from tests.support.environments import Environment
    from tests.support.project import BakedProject
    from tests.support.variants import Variant


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "variant" in metafunc.fixturenames:
        if metafunc.config.getoption("quick"):
            variants = few_variants()[:2]
        else:
            variants = dependency_variants() if metafunc.config.getoption("all_suites") else suite_variants()
        metafunc.parametrize("variant", variants, ids=str)


def run_tests(project: BakedProject, environment: Environment, *, check: bool = True) -> CompletedProcess[str]:
    """Run the test suite of a copied project with a separate temporary directory."""
    # The path is short, because the length of a socket path is limited.
    with TemporaryDirectory(prefix="suite-") as folder:
        # Assertion rewriting would take a tenth of the run time.
        command = ["pytest", "-q", "--assert=plain", "--showlocals", f"--basetemp={folder}/tests"]
        return project.run(*command, environment=environment, timeout=300, check=check)


def test_a_variant_passes_its_own_tests(
    variant: Variant,
    bake: Bakery,
    install_project: Callable[..., Environment],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    count(request, "suite")
    project = bake(**variant.answers).copy_to(tmp_path)

    completed = run_tests(project, install_project(project))

    assert " passed" in completed.stdout
    # A skipped test would be a gap.
    assert " skipped" not in completed.stdout


@pytest.mark.slow
@pytest.mark.parametrize("version", sorted(find_interpreters()))
def test_the_default_project_passes_its_tests_on_each_supported_python(
    version: str,
    bake: Bakery,
    install_project: Callable[..., Environment],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    count(request, "suite")
    project = bake(python_version=version).copy_to(tmp_path)

    run_tests(project, install_project(project, python=find_interpreters()[version]))


def remove_examples(project: BakedProject) -> None:
    """Follow the instructions in `examples/__init__.py`, and check that they are complete."""
    instructions = (project.package / "examples" / "__init__.py").read_text(encoding="utf-8")
    settings = next(file for file in ("celeryconfig.py", "settings/celery.py") if (project.package / file).exists())
    for folder in (project.package / "examples", project.path / "tests" / "examples"):
        shutil.rmtree(folder)
    for name, removed in {
        settings: r'\n# --- Examples.*?\n\]\n|"\w+\.examples\.routing\.route_urgent", ',
        "submissions.py": r'    "\w+\.examples\.[\w.]+",\n',
    }.items():
        file = project.package / name
        if file.exists():
            assert f"`{name}`" in instructions
            text, count = re.subn(removed, "", file.read_text(encoding="utf-8"), flags=re.DOTALL | re.IGNORECASE)
            assert count == 2
            file.write_text(text, encoding="utf-8")


@pytest.mark.slow
@pytest.mark.parametrize("framework", ["none", "fastapi", "django"])
def test_a_project_passes_its_tests_without_its_examples(
    framework: str,
    bake: Bakery,
    install_project: Callable[..., Environment],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    count(request, "suite")
    project = bake(framework=framework).copy_to(tmp_path)
    environment = install_project(project)

    remove_examples(project)

    run_tests(project, environment)
    project.run("ruff", "check", environment=environment)


@pytest.mark.slow
@pytest.mark.parametrize("name", OWNER_PROJECTS)
def test_each_forgotten_file_of_a_queue_is_reported(
    name: str, bake: Bakery, install_project: Callable[..., Environment], tmp_path: Path
) -> None:
    before, after = bake_without_and_with_queue(bake, name)
    project = after.copy_to(tmp_path)
    environment = install_project(project)
    modules = [f"tests/test_{name}.py" for name in ("queues", "deploy", "monitoring", "sqs", "alarms")]
    files = [module for module in modules if (project.path / module).exists()]
    tests = ["pytest", "-q", "--assert=plain", "--tb=line", "-m", "not integration", *files]
    project.run(*tests, environment=environment)

    # Files whose tests do not depend on each other are removed together.
    groups: dict[str, list[str]] = {"queues.py": [], "/tasks/": [], "/monitoring/": [], "": []}
    for path in count_added_lines(before, after):
        # The project works without the periodic task, its test and its HTTP endpoint.
        if not path.endswith(("schedule.py", f"test_{ADDED_QUEUE}.py", "submissions.py")):
            groups[next(part for part in groups if part in path)].append(path)
    for paths in filter(None, groups.values()):
        contents = {path: (project.path / path).read_bytes() for path in paths}
        for path in paths:
            if (before.path / path).exists():
                shutil.copy(before.path / path, project.path / path)
            else:
                (project.path / path).unlink()
        completed = project.run(*tests, environment=environment, check=False)
        assert completed.returncode == 1, f"nothing fails without {paths}"
        for path, content in contents.items():
            # The message of a test begins with the file, or with the folder of a file for each queue.
            place = re.sub(r"(deploy/(kubernetes|systemd))/.*|.*/(queues\.py)", r"\1\3", path)
            assert f"AssertionError: {place}: " in completed.stdout, f"{place}\n{completed.stdout}"
            (project.path / path).write_bytes(content)


def test_a_broken_project_fails_its_own_tests(
    bake: Bakery, install_project: Callable[..., Environment], tmp_path: Path
) -> None:
    project = bake().copy_to(tmp_path)
    queues = project.package / "queues.py"
    queues.write_text(queues.read_text(encoding="utf-8").replace('"low_priority"', '"lost"'), encoding="utf-8")

    completed = run_tests(project, install_project(project), check=False)

    assert completed.returncode == 1, completed.stdout
    assert " failed" in completed.stdout


def edit(file: Path, old: str, new: str) -> None:
    """Replace a text that is in a file once."""
    text = file.read_text(encoding="utf-8")
    assert text.count(old) == 1, text
    file.write_text(text.replace(old, new), encoding="utf-8")


@pytest.mark.slow
def test_a_worker_may_consume_several_queues(
    bake: Bakery, install_project: Callable[..., Environment], tmp_path: Path
) -> None:
    project = bake(queues="default:2, critical:1, high:1", beat_jobs="", kubernetes="yes").copy_to(tmp_path)
    environment = install_project(project)
    systemd, kubernetes = project.path / "deploy/systemd", project.path / "deploy/kubernetes"
    unit = f"{project.slug}-worker-{{}}@.service"
    tests = ["pytest", "-q", "--assert=plain", "-m", "not integration"]

    # The example in docs/development.md: the worker of `critical` also consumes from `high`.
    edit(project.path / "compose.yaml", "-Q critical ", "-Q critical,high ")
    edit(systemd / unit.format("critical"), "-Q critical ", "-Q critical,high ")
    edit(kubernetes / "workers/critical/kustomization.yaml", "[-Q, critical,", '[-Q, "critical,high",')
    completed = project.run(*tests, environment=environment, check=False)
    assert completed.returncode == 1, "a queue with two workers is not detected"

    compose = project.path / "compose.yaml"
    text, count_ = re.subn(r"\n  worker-high:\n(    .*\n)+", "", compose.read_text(encoding="utf-8"))
    assert count_ == 1
    compose.write_text(text, encoding="utf-8")
    (systemd / unit.format("high")).unlink()
    shutil.rmtree(kubernetes / "workers/high")
    edit(kubernetes / "base/kustomization.yaml", "  - ../workers/high\n", "")
    for name in ("prometheus.yaml", "targets.yaml"):
        file = project.path / "deploy/monitoring" / name
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if not re.search(r"\bhigh\b", line)]
        file.write_text("\n".join(lines), encoding="utf-8")
    with (kubernetes / "workers/critical/kustomization.yaml").open("a", encoding="utf-8") as patches:
        patches.write(
            "      - {op: copy, from: /spec/triggers/0, path: /spec/triggers/1}\n"
            "      - {op: replace, path: /spec/triggers/1/metadata/listName, value: high}\n"
        )
    project.run(*tests, environment=environment)
