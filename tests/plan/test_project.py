"""Which files of the template become the project's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local_extensions.project import chosen, files

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

    return {file.path: file.text for file in files(folder, OPTIONS | options, "mail_room", render)}


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

    assert [file.path for file in files(tmp_path, OPTIONS, "mail_room", render)] == ["a"]


def test_a_file_keeps_that_it_is_a_program(tmp_path: Path) -> None:
    write(tmp_path, {"_options/broker/redis/run.sh": "#!/bin/sh", "a.sh": "#!/bin/sh"})
    (tmp_path / "_options/broker/redis/run.sh").chmod(0o755)

    found = files(tmp_path, OPTIONS, "mail_room", render=str)

    assert {file.path: file.executable for file in found} == {"run.sh": True, "a.sh": False}


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
