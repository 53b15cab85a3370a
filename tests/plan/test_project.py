"""Which files of the template become the project's, and how they are written."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest

from local_extensions.project import File, chosen, files
from local_extensions.project import write as write_files

if TYPE_CHECKING:
    from pathlib import Path

OPTIONS = {"framework": "none", "broker": "redis", "results": "true"}


def write(folder: Path, texts: dict[str, str]) -> None:
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def made(folder: Path, **options: str) -> dict[str, str]:
    def render(name: str) -> str:
        return (folder / name).read_text(encoding="utf-8")

    return {path: file.text for path, file in files(folder, OPTIONS | options, "mail_room", render).items()}


def test_the_chosen_answer_s_files_are_laid_over_the_project_and_the_others_are_not_there(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "src/app.py": "app",
            "_options/broker/redis/src/broker.py": "redis",
            "_options/broker/redis/deploy/x/redis.conf": "redis",
            "_options/broker/rabbitmq/src/broker.py": "rabbitmq",
        },
    )

    assert made(tmp_path) == {"src/app.py": "app", "src/broker.py": "redis", "deploy/x/redis.conf": "redis"}


@pytest.mark.parametrize(
    ("framework", "there"), [("none", True), ("fastapi", True), ("django", False), ("fast", False)]
)
def test_a_folder_may_serve_several_answers(tmp_path: Path, framework: str, there: bool) -> None:
    write(tmp_path, {"_options/framework/none+fastapi/logs.py": "logs"})

    assert made(tmp_path, framework=framework) == ({"logs.py": "logs"} if there else {})


@pytest.mark.parametrize(("results", "expected"), [("true", {"a": "a", "b": "b"}), ("false", {"a": "a"})])
def test_an_option_may_hold_options(tmp_path: Path, results: str, expected: dict[str, str]) -> None:
    write(tmp_path, {"_options/broker/redis/a": "a", "_options/broker/redis/_options/results/true/b": "b"})

    assert made(tmp_path, results=results) == expected


def test_the_package_s_name_stands_in_paths(tmp_path: Path) -> None:
    package = "{{cookiecutter.project_slug}}"
    write(tmp_path, {f"src/{package}/a.py": "a", f"_options/broker/redis/deploy/{package}-beat.service": "b"})

    assert made(tmp_path) == {"src/mail_room/a.py": "a", "deploy/mail_room-beat.service": "b"}


def test_a_file_of_an_answer_that_is_not_chosen_is_not_even_rendered(tmp_path: Path) -> None:
    write(tmp_path, {"a": "", "_options/broker/rabbitmq/b": ""})

    def render(name: str) -> str:
        assert name == "a"
        return ""

    assert list(files(tmp_path, OPTIONS, "mail_room", render)) == ["a"]


def test_a_file_keeps_that_it_is_a_program(tmp_path: Path) -> None:
    write(tmp_path, {"_options/broker/redis/run.sh": "#!/bin/sh", "a.sh": "#!/bin/sh"})
    (tmp_path / "_options/broker/redis/run.sh").chmod(0o755)

    found = files(tmp_path, OPTIONS, "mail_room", render=str)

    assert {path: file.executable for path, file in found.items()} == {"run.sh": True, "a.sh": False}


@pytest.mark.parametrize(
    "texts",
    [
        {"a/b.py": "", "_options/broker/redis/a/b.py": ""},
        {"_options/broker/redis/b.py": "", "_options/results/true/b.py": ""},
        {"b.py": "", "all.split": "=== b.py ===\n"},
        {"all.split": "=== b.py ===\n=== b.py ===\n"},
        {"all.split": "=== b.py ===\n", "_options/broker/redis/b.py": ""},
    ],
)
def test_two_sources_for_one_file_are_an_error_that_names_it(tmp_path: Path, texts: dict[str, str]) -> None:
    write(tmp_path, texts)

    with pytest.raises(ValueError, match=r"^Two files of the template become .*b\.py$"):
        made(tmp_path)


def test_an_option_of_a_question_that_nobody_asks_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, {"_options/brokers/redis/a": ""})

    with pytest.raises(KeyError, match="brokers"):
        list(chosen(tmp_path, OPTIONS))


def test_a_split_file_becomes_its_parts_beside_it(tmp_path: Path) -> None:
    text = "=== a.py ===\n# a\n\n=== env/b-1.env ===\nB=1\n=== c ===\n"
    write(tmp_path, {"_options/broker/redis/tasks/each_queue.split": text, "all.split": "=== d/e ===\ne\n"})

    assert made(tmp_path) == {"tasks/a.py": "# a\n\n", "tasks/env/b-1.env": "B=1\n", "tasks/c": "", "d/e": "e\n"}


def test_no_other_file_is_split(tmp_path: Path) -> None:
    write(tmp_path, {"README.md": "=== not a part ===\n"})

    assert made(tmp_path) == {"README.md": "=== not a part ===\n"}


@pytest.mark.parametrize(
    "text", ["", "\n", "no part\n", "=== ../a ===\n", "=== /a ===\n", " === a ===\n", "=== a b ===\n"]
)
def test_a_split_file_without_parts_becomes_nothing_and_no_part_leaves_its_folder(tmp_path: Path, text: str) -> None:
    write(tmp_path, {"tasks/each.split": text})

    assert made(tmp_path) == {}


def files_in(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().decode() for path in folder.rglob("*") if path.is_file()
    }


def test_each_file_is_written_where_it_belongs(tmp_path: Path) -> None:
    texts = {"README.md": "# It\n", "src/mail/app.py": "", "src/mail/a/b.txt": "\u00e9\n"}
    write_files(tmp_path, [File(path, executable=False, text=text) for path, text in texts.items()], keep=False)

    assert files_in(tmp_path) == texts


def test_a_program_can_be_run_and_nothing_else(tmp_path: Path) -> None:
    program = "#!/bin/sh\nexit 7\n"
    made = [File("run.sh", executable=True, text=program), File("a.sh", executable=False, text=program)]
    write_files(tmp_path, made, keep=False)

    assert subprocess.run([tmp_path / "run.sh"], check=False).returncode == 7
    assert not (tmp_path / "a.sh").stat().st_mode & 0o111


@pytest.mark.parametrize(("mine", "expected"), [(None, {}), ("kept.txt", {"kept.txt": "mine", "a": "a"})])
def test_what_cannot_be_written_leaves_a_new_folder_gone_and_another_as_it_is(
    tmp_path: Path, mine: str | None, expected: dict[str, str]
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    if mine:
        (folder / mine).write_text("mine", encoding="utf-8")
    # The second wants a folder where the first is a file.
    impossible = [File("a", executable=False, text="a"), File("a/b", executable=False, text="b")]

    with pytest.raises(OSError, match="a"):
        write_files(folder, impossible, keep=False)

    assert folder.exists() == bool(mine)
    assert files_in(folder) == expected
