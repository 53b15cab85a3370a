"""cruft: create and update projects."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.support.environments import find_interpreters, find_uv
from tests.support.variants import ROOT
from tests.test_layout import copy_template

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

ANSWERS = {"project_slug": "shop", "queues": "default:4, slow:1", "beat_jobs": "tidy = @daily -> slow"}
NEW_ANSWERS = {
    "framework": "fastapi",
    "examples": False,
    "queues": "default:4, slow:1, mails:2",
    "beat_jobs": "tidy = @daily -> slow; digest = every 1h -> mails",
    "extras": "tracing",
}
DJANGO = {
    "framework": "django",
    "broker": "rabbitmq",
    "result_backend": "database",
    "beat_scheduler": "database",
    "kubernetes": True,
}
# The files that contain the name of a queue with a periodic task.
PLACES_OF_A_QUEUE = {
    "README.md",
    "compose.yaml",
    "deploy/systemd/shop-worker-mails@.service",
    "src/shop/queues.py",
    "src/shop/schedule.py",
    "src/shop/tasks/mails.py",
    "tests/tasks/test_mails.py",
}
OWN_TASK = '\n\n@shared_task\ndef own() -> None:\n    """Written by the project\'s owner."""\n'


@dataclass(frozen=True)
class Cruft:
    """An installation of cruft for one Python version, and a repository of the template."""

    program: Path
    template: Path

    def run(
        self, *arguments: str, cwd: Path, exits_with: int = 0, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a cruft command.

        Raises:
            AssertionError: The exit status differs. The message contains the output.
        """
        completed = subprocess.run(
            [self.program, *arguments],
            cwd=cwd,
            env={**os.environ, **GIT, **environment},
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
            stdin=subprocess.DEVNULL,
        )
        assert completed.returncode == exits_with, (
            f"cruft {arguments}: {completed.returncode}\n{completed.stdout}\n{completed.stderr}"
        )
        return completed


GIT = {
    "GIT_AUTHOR_NAME": "test",
    "GIT_AUTHOR_EMAIL": "test@example.com",
    "GIT_COMMITTER_NAME": "test",
    "GIT_COMMITTER_EMAIL": "test@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def git(folder: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=folder, env={**os.environ, **GIT}, capture_output=True, text=True, check=True
    ).stdout


def commit(folder: Path, message: str) -> None:
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


def pythons() -> list[str]:
    """Return the lowest and the highest supported Python version on this machine."""
    versions = sorted(find_interpreters(), key=lambda version: int(version[2:]))
    return list(dict.fromkeys((versions[0], versions[-1])))


@pytest.fixture(scope="module", params=pythons())
def cruft(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Cruft:
    """Return an installation of cruft for a Python version, and a repository of the template with one commit."""
    folder = tmp_path_factory.mktemp("cruft")
    subprocess.run(
        [
            find_uv(),
            "sync",
            "--quiet",
            "--frozen",
            "--only-group=updates",
            f"--python={find_interpreters()[request.param]}",
        ],
        cwd=ROOT,
        env={**os.environ, "UV_PROJECT_ENVIRONMENT": str(folder / "venv")},
        check=True,
        timeout=300,
    )
    template = copy_template(folder / "template")
    git(template, "init", "--quiet", "--initial-branch=main")
    commit(template, "First")
    return Cruft(folder / "venv" / "bin" / "cruft", template)


@pytest.fixture
def project(cruft: Cruft, tmp_path: Path) -> Path:
    """Return a project that cruft created, in a git repository."""
    answers = json.dumps(ANSWERS)
    cruft.run("create", str(cruft.template), "--no-input", "--extra-context", answers, cwd=tmp_path)
    project = tmp_path / "shop"
    git(project, "init", "--quiet")
    commit(project, "Generated")
    return project


def edit_as_owner(project: Path) -> None:
    with (project / "src" / "shop" / "tasks" / "default.py").open("a", encoding="utf-8") as file:
        file.write(OWN_TASK)
    readme = (project / "README.md").read_text(encoding="utf-8")
    (project / "README.md").write_text(f"{readme}\n## Our own section\n", encoding="utf-8")
    commit(project, "Edit")


def assert_edits_are_kept(project: Path) -> None:
    assert (project / "src" / "shop" / "tasks" / "default.py").read_text(encoding="utf-8").endswith(OWN_TASK)
    assert (project / "README.md").read_text(encoding="utf-8").endswith("\n## Our own section\n")
    assert not list(project.rglob("*.rej"))
    assert "<<<<<<<" not in git(project, "diff", "HEAD")


def change_template(template: Path) -> None:
    """Change the code and a file of the template: add a filter, and use it."""
    extension = template / "local_extensions" / "extension.py"
    text = extension.read_text(encoding="utf-8")
    assert '    "code": filters.code,\n' in text
    text = text.replace('    "code": filters.code,\n', '    "code": filters.code,\n    "loud": str.upper,\n')
    extension.write_text(text, encoding="utf-8")
    agents = template / "{{cookiecutter.project_slug}}" / "AGENTS.md"
    text = agents.read_text(encoding="utf-8")
    agents.write_text(f'{{{{ "new in the template" | loud }}}}\n{text}', encoding="utf-8")
    commit(template, "Second")


def test_a_new_project_is_up_to_date_without_differences(cruft: Cruft, project: Path) -> None:
    cruft.run("check", cwd=project)
    assert cruft.run("diff", cwd=project).stdout == ""


def test_cruft_diff_contains_only_the_owners_edits(cruft: Cruft, project: Path) -> None:
    edit_as_owner(project)
    patch = cruft.run("diff", cwd=project).stdout

    assert patch.startswith("diff --git ")
    changed = [
        line for line in patch.splitlines() if line.startswith(("+", "-")) and not line.startswith(("+++", "---"))
    ]
    owned = [*OWN_TASK.splitlines()[1:], "", "", "## Our own section"]
    assert sorted(line[1:] for line in changed) == sorted(owned)


def test_an_update_keeps_edits_and_applies_answers_and_template_changes(
    cruft: Cruft, project: Path, tmp_path: Path
) -> None:
    edit_as_owner(project)
    before = git(cruft.template, "rev-parse", "HEAD").strip()
    change_template(cruft.template)
    try:
        cruft.run("check", cwd=project, exits_with=1)
        cruft.run("update", "-y", "--variables-to-update", json.dumps(NEW_ANSWERS), cwd=project)
        commit(project, "Update")

        assert_edits_are_kept(project)
        assert (project / "AGENTS.md").read_text(encoding="utf-8").startswith("NEW IN THE TEMPLATE\n")
        named = set(git(project, "grep", "--files-with-matches", "mails").splitlines())
        assert named >= PLACES_OF_A_QUEUE
        assert "digest" in (project / "src" / "shop" / "tasks" / "mails.py").read_text(encoding="utf-8")
        assert (project / "src" / "shop" / "api" / "__init__.py").exists()
        assert not (project / "src" / "shop" / "examples").exists()
        cruft.run("check", cwd=project)

        # The project equals a new project with the new answers and the new template.
        answers = json.dumps({**ANSWERS, **NEW_ANSWERS})
        cruft.run("create", str(cruft.template), "--no-input", "--extra-context", answers, cwd=clean(tmp_path))
        edited = {"README.md", "src/shop/tasks/default.py", ".cruft.json"}
        ours, fresh = files_in(project), files_in(tmp_path / "clean" / "shop")
        assert ours.keys() == fresh.keys()
        assert {name for name in ours if ours[name] != fresh[name]} <= edited
    finally:
        git(cruft.template, "reset", "--quiet", "--hard", before)


@pytest.mark.parametrize("cruft", pythons()[:1], indirect=True)
def test_an_added_queue_changes_only_files_that_contain_its_name(cruft: Cruft, tmp_path: Path) -> None:
    cruft.run(
        "create", str(cruft.template), "--no-input", "--extra-context", json.dumps(ANSWERS | DJANGO), cwd=tmp_path
    )
    project = tmp_path / "shop"
    git(project, "init", "--quiet")
    commit(project, "Generated")

    added = {name: NEW_ANSWERS[name] for name in ("queues", "beat_jobs")}
    cruft.run("update", "-y", "--variables-to-update", json.dumps(added), cwd=project)

    git(project, "add", "--all")
    changed = set(git(project, "diff", "--cached", "--name-only", "HEAD").splitlines())
    named = git(project, "grep", "--cached", "--word-regexp", "--files-with-matches", "mails").splitlines()
    assert changed == set(named)


def clean(folder: Path) -> Path:
    (folder / "clean").mkdir()
    return folder / "clean"


def files_in(project: Path) -> dict[str, bytes]:
    names = git(project, "ls-files").splitlines() if (project / ".git").exists() else None
    paths = [project / name for name in names] if names else [path for path in project.rglob("*") if path.is_file()]
    return {path.relative_to(project).as_posix(): path.read_bytes() for path in paths}


def test_a_project_without_cruft_can_be_linked(cruft: Cruft, project: Path) -> None:
    (project / ".cruft.json").unlink()
    commit(project, "As Cookiecutter created it")
    cruft.run("link", str(cruft.template), "--no-input", "--extra-context", json.dumps(ANSWERS), cwd=project)

    cruft.run("check", cwd=project)
    assert cruft.run("diff", cwd=project).stdout == ""


def test_an_invalid_new_answer_changes_nothing(cruft: Cruft, project: Path) -> None:
    wrong = json.dumps({"queues": "e mails"})
    completed = cruft.run("update", "-y", "--variables-to-update", wrong, cwd=project, exits_with=1)

    assert "has a space in its name. Example: emails:8, reports:2" in " ".join(
        (completed.stdout + completed.stderr).split()
    )
    assert git(project, "status", "--porcelain") == ""


def test_a_clone_on_windows_keeps_line_endings(project: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(
        ["git", "-c", "core.autocrlf=true", "clone", "--quiet", project, clone],
        env={**os.environ, **GIT},
        check=True,
        timeout=60,
    )

    assert not [name for name, text in files_in(clone).items() if b"\r" in text]
    shutil.rmtree(clone)
