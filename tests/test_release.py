"""`make release` of a generated project, in a git repository."""

from __future__ import annotations

import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.support.environments import find_uv, write_lock_file

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from tests.support.bakery import Bakery
    from tests.support.project import BakedProject

pytestmark = pytest.mark.generated

# A test does not run the checks of the project: it runs `uv version`, and prints the other commands.
UV = """#!/bin/sh
case $1 in
  version) exec {uv} "$@" ;;
  *) echo "uv $*"; exit {status} ;;
esac
"""
IDENTITY = ("-c", "user.name=Owner", "-c", "user.email=owner@example.com")


@pytest.fixture
def project(bake: Bakery, shared_folder: Path, tmp_path: Path) -> BakedProject:
    """Return a project with a lock file, committed to git."""
    project = bake(ci="none").copy_to(tmp_path)
    write_lock_file(project, shared_folder, sys.executable)
    git(project, "init", "--quiet")
    commit(project)
    return project


def git(project: BakedProject, *words: str) -> str:
    return project.run("git", *IDENTITY, *words).stdout


def commit(project: BakedProject) -> None:
    git(project, "add", "--all")
    git(project, "commit", "--quiet", "--message", "Change")


def release(
    project: BakedProject, version: str | None, *, status: int = 0, program: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `make release`. The checks exit with `status`, unless `program` is the uv that runs them."""
    fake = project.path.parent / "uv"
    fake.write_text(UV.format(uv=find_uv(), status=status), encoding="utf-8")
    fake.chmod(0o755)
    variables = {f"GIT_{who}_{key}": f"owner@{who}" for who in ("AUTHOR", "COMMITTER") for key in ("NAME", "EMAIL")}
    arguments = [] if version is None else [f"VERSION={version}"]
    command = ["make", "release", f"UV={program or fake}", *arguments]
    return project.run(*command, variables=variables, check=False, timeout=300)


def declared_version(project: BakedProject) -> str:
    version: str = tomllib.loads(project.read("pyproject.toml"))["project"]["version"]
    return version


def test_a_release_sets_the_version_commits_and_tags(project: BakedProject) -> None:
    ran = release(project, "1.2.0")

    assert ran.returncode == 0, ran.stderr
    assert [line for line in ran.stdout.splitlines() if line.startswith("uv run")] == [
        *("uv run ruff check", "uv run ruff format --check", "uv run mypy", "uv run pytest")
    ]
    assert ran.stdout.endswith("Publish it: git push --atomic origin HEAD v1.2.0\n")
    assert declared_version(project) == "1.2.0"
    assert git(project, "log", "--format=%s", "-1") == "Release 1.2.0\n"
    assert git(project, "show", "--format=", "--name-only").split() == ["pyproject.toml", "uv.lock"]
    assert git(project, "cat-file", "-t", "v1.2.0") == "tag\n"
    assert git(project, "rev-parse", "v1.2.0^{commit}") == git(project, "rev-parse", "HEAD")
    assert git(project, "status", "--porcelain") == ""
    project.run(find_uv(), "lock", "--check")


def test_the_current_version_is_tagged_without_a_commit(project: BakedProject) -> None:
    before = git(project, "rev-parse", "HEAD")

    ran = release(project, declared_version(project))

    assert ran.returncode == 0, ran.stderr
    assert git(project, "rev-parse", f"v{declared_version(project)}^{{commit}}") == before


@pytest.mark.parametrize(
    "version", [None, "", "1", "1.2", "v1.2.0", "1.2.0-rc1", "1.2.0 x", "1.2.0`touch x`", "1.2.0;touch x", "--help"]
)
def test_an_invalid_version_changes_nothing(version: str | None, project: BakedProject) -> None:
    before = git(project, "rev-parse", "HEAD")

    ran = release(project, version)

    assert ran.returncode != 0
    assert "Example: make release VERSION=1.2.0" in ran.stderr
    assert git(project, "rev-parse", "HEAD") == before
    assert git(project, "tag") + git(project, "status", "--porcelain") == ""


def test_uncommitted_files_prevent_a_release(project: BakedProject) -> None:
    (project.path / "new.py").touch()

    ran = release(project, "1.2.0")

    assert ran.returncode != 0
    assert "?? new.py\nCommit or remove these changes first.\n" in ran.stderr
    assert (declared_version(project), git(project, "tag")) == ("0.1.0", "")


def test_an_existing_tag_prevents_a_release(project: BakedProject) -> None:
    git(project, "tag", "v1.2.0")

    ran = release(project, "1.2.0")

    assert ran.returncode != 0
    assert "The tag v1.2.0 exists.\n" in ran.stderr
    assert declared_version(project) == "0.1.0"


def test_a_failing_check_prevents_a_release(project: BakedProject) -> None:
    ran = release(project, "1.2.0", status=1)

    assert ran.returncode != 0
    assert (declared_version(project), git(project, "tag"), git(project, "status", "--porcelain")) == ("0.1.0", "", "")


@pytest.mark.slow
def test_a_release_runs_the_checks_of_the_project(project: BakedProject) -> None:
    assert release(project, "1.2.0rc1", program=find_uv()).returncode == 0
    assert declared_version(project) == "1.2.0rc1"

    tests = project.path / "tests" / "test_queues.py"
    tests.write_text(f"{tests.read_text(encoding='utf-8')}\n\ndef test_broken() -> None:\n    assert not 1\n", "utf-8")
    commit(project)
    ran = release(project, "1.2.0", program=find_uv())

    assert ran.returncode != 0
    assert "1 failed" in ran.stdout
    assert (declared_version(project), git(project, "tag")) == ("1.2.0rc1", "v1.2.0rc1\n")
