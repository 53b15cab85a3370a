"""The hook that finishes a project: it unpacks the project's files and says what comes next."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
from jinja2 import Environment

from local_extensions import FILTERS

HOOK = Path(__file__).resolve().parents[2] / "hooks" / "post_gen_project.py"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "a folder 'with' blanks" / "project"
    folder.mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


def finish(project: Path, *files: tuple[str, bool, str], keeps_files: bool = False) -> None:
    (project / "project.json").write_text(json.dumps(files), encoding="utf-8")
    runpy.run_path(str(HOOK))["main"]("Created it.", keeps_files)


def files_in(project: Path) -> dict[str, str]:
    return {
        path.relative_to(project).as_posix(): path.read_bytes().decode()
        for path in project.rglob("*")
        if path.is_file()
    }


def test_each_file_is_where_it_belongs_and_the_package_is_gone(project: Path) -> None:
    finish(project, ("README.md", False, "# It\n"), ("src/mail/app.py", False, ""), ("src/mail/a/b.txt", False, "é\n"))

    assert files_in(project) == {"README.md": "# It\n", "src/mail/app.py": "", "src/mail/a/b.txt": "é\n"}


def test_a_program_can_be_run_and_nothing_else(project: Path) -> None:
    finish(project, ("run.sh", True, "#!/bin/sh\nexit 7\n"), ("text.sh", False, "#!/bin/sh\n"))

    assert subprocess.run([project / "run.sh"], check=False).returncode == 7
    assert not (project / "text.sh").stat().st_mode & 0o111


@pytest.mark.parametrize(("keeps_files", "expected"), [(False, "new"), (True, "mine")])
def test_what_is_there_is_overwritten_unless_it_is_to_be_kept(project: Path, keeps_files: bool, expected: str) -> None:
    (project / "README.md").write_text("mine", encoding="utf-8")
    finish(project, ("README.md", False, "new"), ("other", False, "other"), keeps_files=keeps_files)

    assert files_in(project) == {"README.md": expected, "other": "other"}


def test_it_says_what_it_was_given(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finish(project)

    assert capsys.readouterr().out == "Created it.\n"


@pytest.mark.parametrize("text", ['it\'s "here"', "\\", "{{ x }}", "</script>", "é🎉\u2028", "'''"])
def test_answers_reach_it_as_data_whatever_is_in_them(project: Path, text: str) -> None:
    environment = Environment(autoescape=False)  # noqa: S701
    environment.filters["python"] = FILTERS["python"]
    rendered = environment.from_string(HOOK.read_text(encoding="utf-8")).render(
        closing_words=lambda: text, keeps_files=lambda: False
    )
    (project.parent / "hook.py").write_text(rendered, encoding="utf-8")
    (project / "project.json").write_text(json.dumps([("a", False, text)]), encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-X", "utf8", str(project.parent / "hook.py")],
        cwd=project,
        capture_output=True,
        check=True,
        encoding="utf-8",
    )

    assert ran.stdout == f"{text}\n"
    assert files_in(project) == {"a": text}
