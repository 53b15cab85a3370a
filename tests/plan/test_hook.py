"""The hook that finishes a project: it merges the option folders and splits the files that hold several."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment

from local_extensions import FILTERS

HOOK = Path(__file__).resolve().parents[2] / "hooks" / "post_gen_project.py"
OPTIONS = {"framework": "none", "broker": "redis", "results": "true"}


def finish(project: Path, options: dict[str, str] | None = None) -> None:
    runpy.run_path(str(HOOK))["main"](project, options or OPTIONS, "Created it.")


def write(project: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def files_in(project: Path) -> dict[str, str]:
    return {
        path.relative_to(project).as_posix(): path.read_text(encoding="utf-8")
        for path in project.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "a folder 'with' blanks" / "project"
    folder.mkdir(parents=True)
    return folder


def test_the_chosen_answer_s_files_are_laid_over_the_project_and_the_others_are_gone(project: Path) -> None:
    write(
        project,
        {
            "src/app.py": "app",
            "_options/broker/redis/src/broker.py": "redis",
            "_options/broker/redis/deploy/x/redis.conf": "redis",
            "_options/broker/rabbitmq/src/broker.py": "rabbitmq",
        },
    )
    finish(project)
    assert files_in(project) == {"src/app.py": "app", "src/broker.py": "redis", "deploy/x/redis.conf": "redis"}
    assert not (project / "_options").exists()


@pytest.mark.parametrize(
    ("framework", "merged"), [("none", True), ("fastapi", True), ("django", False), ("fast", False)]
)
def test_a_folder_may_serve_several_answers(project: Path, framework: str, merged: bool) -> None:
    write(project, {"_options/framework/none+fastapi/logs.py": "logs"})
    finish(project, OPTIONS | {"framework": framework})
    assert files_in(project) == ({"logs.py": "logs"} if merged else {})


@pytest.mark.parametrize(("results", "expected"), [("true", {"a": "a", "b": "b"}), ("false", {"a": "a"})])
def test_an_option_may_hold_options(project: Path, results: str, expected: dict[str, str]) -> None:
    write(project, {"_options/broker/redis/a": "a", "_options/broker/redis/_options/results/true/b": "b"})
    finish(project, OPTIONS | {"results": results})
    assert files_in(project) == expected


def test_a_project_without_options_is_left_as_it_is(project: Path) -> None:
    write(project, {"README.md": "=== not a part ===\n"})
    finish(project)
    assert files_in(project) == {"README.md": "=== not a part ===\n"}


def test_a_file_keeps_its_permissions(project: Path) -> None:
    write(project, {"_options/broker/redis/run.sh": "#!/bin/sh"})
    (project / "_options/broker/redis/run.sh").chmod(0o755)
    finish(project)
    assert (project / "run.sh").stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize(
    "files",
    [
        {"a/b.py": "", "_options/broker/redis/a/b.py": ""},
        {"_options/broker/redis/b.py": "", "_options/results/true/b.py": ""},
        {"b.py": "", "all.split": "=== b.py ===\n"},
        {"all.split": "=== b.py ===\n=== b.py ===\n"},
        {"all.split": "=== b.py ===\n", "_options/broker/redis/b.py": ""},
    ],
)
def test_two_sources_for_one_file_are_an_error_that_names_it(project: Path, files: dict[str, str]) -> None:
    write(project, files)
    with pytest.raises(SystemExit, match=r"^Two files of the template become .*b\.py$"):
        finish(project)


def test_an_option_of_a_question_that_nobody_asks_is_an_error(project: Path) -> None:
    write(project, {"_options/brokers/redis/a": ""})
    with pytest.raises(KeyError, match="brokers"):
        finish(project)


def test_a_split_file_becomes_its_parts_beside_it(project: Path) -> None:
    text = "=== a.py ===\n# a\n\n=== env/b-1.env ===\nB=1\n=== c ===\n"
    write(project, {"_options/broker/redis/tasks/each_queue.split": text})
    finish(project)
    assert files_in(project) == {"tasks/a.py": "# a\n\n", "tasks/env/b-1.env": "B=1\n", "tasks/c": ""}


@pytest.mark.parametrize(
    "text", ["", "\n", "no part\n", "=== ../a ===\n", "=== /a ===\n", " === a ===\n", "=== a b ===\n"]
)
def test_a_split_file_without_parts_becomes_nothing_and_no_part_leaves_its_folder(project: Path, text: str) -> None:
    write(project, {"tasks/each.split": text})
    finish(project)
    assert files_in(project) == {}


def test_it_says_what_was_made_and_how_to_go_on(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    finish(project)
    first, _, change, *_ = capsys.readouterr().out.splitlines()
    assert first == "Created it."
    words = subprocess.run(
        ["sh", "-c", f"printf %s {change.strip().removeprefix('cd ')}"], capture_output=True, check=True
    )
    assert words.stdout.decode() == str(project)


@pytest.mark.parametrize("text", ['it\'s "here"', "\\", "{{ x }}", "</script>", "é🎉\u2028", "'''"])
def test_answers_reach_it_as_data_whatever_is_in_them(tmp_path: Path, text: str) -> None:
    def plan() -> dict[str, Any]:
        return {"options": {"broker": text}, "summary": text}

    environment = Environment(autoescape=False)  # noqa: S701
    environment.filters["python"] = FILTERS["python"]
    rendered = environment.from_string(HOOK.read_text(encoding="utf-8")).render(plan=plan)
    write(tmp_path, {"hook.py": rendered, "project/_options/broker/redis/a": ""})
    ran = subprocess.run(
        [sys.executable, "-X", "utf8", str(tmp_path / "hook.py")],
        cwd=tmp_path / "project",
        capture_output=True,
        check=True,
        encoding="utf-8",
    )
    assert ran.stdout.startswith(f"{text}\n")
    assert files_in(tmp_path / "project") == {}
