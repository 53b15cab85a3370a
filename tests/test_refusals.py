"""Invalid answers are rejected with one line per error. Valid answers with hostile text are preserved."""

from __future__ import annotations

import ast
import html
import json
import os
import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest
from cookiecutter.exceptions import FailedHookException
from cookiecutter.main import cookiecutter
from markdown_it import MarkdownIt

from local_extensions.errors import EXAMPLES, quote_piece
from tests.support.answers import DEFAULTS
from tests.support.parse import assert_every_file_parses, find_problem
from tests.support.variants import ROOT, questions

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.bakery import Bakery

USE_ONLY_AND_BEGIN = "use only a-z, 0-9 and _, and begin with a letter"
USE_ONLY = "use only a-z, 0-9 and _"
CRON_FIELDS = "instead of 5 (minute, hour, day of month, month, day of week)"
BOTH_DAYS = "Celery requires both to match, cron only one; use one field, or two jobs"
QUEUE_NAMES = "'default', 'high_priority', 'low_priority'"
CONTROL_CHARACTER = "contains a line break, a control character or a text direction override"
TEXTS = ("project_name", "description", "author_name", "author_email")
QUEUES_EXAMPLE = EXAMPLES["queues"]
JOBS_EXAMPLE = EXAMPLES["beat_jobs"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set an empty home directory without Cookiecutter settings and replays."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("COOKIECUTTER_CONFIG", raising=False)
    return home


def files_under(folder: Path) -> list[Path]:
    return list(folder.rglob("*"))


def get_error_lines(folder: Path, answers: dict[str, str]) -> list[str]:
    """Return the error lines for these answers, and check that no files are created."""
    output = folder / "output"
    output.mkdir()
    with pytest.raises(FailedHookException) as failure:
        cookiecutter(
            str(ROOT),
            no_input=True,
            extra_context=answers,
            output_dir=str(output),
            config_file=str(write_config(folder)),
        )
    assert files_under(output) == []
    return str(failure.value).splitlines()


def write_config(folder: Path) -> Path:
    """Write Cookiecutter settings with all paths in this directory."""
    file = folder / "cookiecutter.yaml"
    file.write_text(f"cookiecutters_dir: {folder / 'templates'}\nreplay_dir: {folder / 'replay'}\n", encoding="utf-8")
    return file


def run_cookiecutter(folder: Path, *answers: str) -> subprocess.CompletedProcess[str]:
    """Run the `cookiecutter` command with answers in the form `question=answer`."""
    output = folder / "output"
    output.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "cookiecutter", str(ROOT), "--no-input", f"--output-dir={output}", *answers],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=60,
        cwd=folder,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        stdin=subprocess.DEVNULL,
    )


@pytest.fixture
def existing_project(tmp_path: Path) -> Path:
    """Return an existing project with a changed, an added and a deleted file."""
    folder = tmp_path / "output" / "shop"
    assert run_cookiecutter(tmp_path, "project_slug=shop").returncode == 0
    for name in ("README.md", "own.txt"):
        (folder / name).write_text("mine\n", encoding="utf-8")
    (folder / "Makefile").unlink()
    return folder


@pytest.mark.parametrize(
    ("options", "succeeds", "expected"),
    [
        ([], False, {"README.md": True, "own.txt": True, "Makefile": None}),
        (["--overwrite-if-exists"], True, {"README.md": False, "own.txt": True, "Makefile": False}),
        (
            ["--overwrite-if-exists", "--skip-if-file-exists"],
            True,
            {"README.md": True, "own.txt": True, "Makefile": False},
        ),
    ],
    ids=["by default", "overwrite", "overwrite, but keep files"],
)
@pytest.mark.usefixtures("home")
def test_an_existing_project_is_overwritten_only_on_request(
    tmp_path: Path, existing_project: Path, options: list[str], succeeds: bool, expected: dict[str, bool | None]
) -> None:
    ran = run_cookiecutter(tmp_path, "project_slug=shop", *options)

    assert (ran.returncode == 0) == succeeds, ran.stderr
    texts = {
        name: (existing_project / name).read_text(encoding="utf-8") if (existing_project / name).exists() else None
        for name in expected
    }
    assert {name: text and text == "mine\n" for name, text in texts.items()} == expected


@pytest.mark.usefixtures("home")
def test_the_command_prints_a_summary_and_the_next_commands(tmp_path: Path) -> None:
    folder = tmp_path / "a folder 'with' blanks"
    folder.mkdir()
    first, _, change, *_ = run_cookiecutter(folder, "project_slug=shop").stderr.splitlines()

    assert first == "Created shop: 3 queues and 3 beat jobs on Redis."
    words = subprocess.run(
        ["sh", "-c", f"printf %s {change.strip().removeprefix('cd ')}"], capture_output=True, check=True
    )
    assert words.stdout.decode() == str(folder / "output" / "shop")


# Invalid answers by question, with the error after the name of the question.
INVALID: dict[str, list[tuple[str, str]]] = {
    "project_slug": [
        (answer, f"'{answer}' {problem}. Example: {example}")
        for answer, problem, example in (
            ("", "is empty", "project"),
            ("class", "is a Python keyword", "class_app"),
            ("email", "is a standard library module", "email_app"),
            ("celery", "is a dependency of the project", "celery_app"),
            ("redis", "is a dependency of the project", "redis_app"),
            ("tests", "is a directory of the project", "tests_app"),
            ("1shop", f"is not a valid package name: {USE_ONLY_AND_BEGIN}", "project_1shop"),
            ("my-shop", f"is not a valid package name: {USE_ONLY}", "my_shop"),
            ("my.shop", f"is not a valid package name: {USE_ONLY}", "my_shop"),
            ("my/shop", f"is not a valid package name: {USE_ONLY}", "my_shop"),
            ("..", f"is not a valid package name: {USE_ONLY_AND_BEGIN}", "project"),
            ("../../shop", f"is not a valid package name: {USE_ONLY_AND_BEGIN}", "shop"),
        )
    ]
    + [("x" * 200, f"'{'x' * 59}…' has 200 characters; the maximum is 32. Example: {'x' * 32}")],
    "timezone": [
        ("", "'' is empty. Example: Europe/Paris"),
        ("Mars/Olympus", "'Mars/Olympus' is not an IANA time zone name. Example: Europe/Paris"),
    ],
    "task_time_limit": [
        (answer, f"'{answer}' is not a whole number of seconds from 1 to 43200 (12 hours). Example: 300")
        for answer in ("", "0", "-5", "abc", "43201")
    ],
    "extras": [
        ("trace", "'trace' is not an extra (choose from tracing, history, outbox, limits). Example: tracing"),
        ("tracing,", "'' is not an extra (choose from tracing, history, outbox, limits). Example: tracing"),
        ("tracing, tracing", "'tracing' is listed twice. Example: tracing"),
    ],
    "queues": [
        (answer, f"{line}. Example: {QUEUES_EXAMPLE}")
        for answer, line in (
            ("", "'' is empty; define at least one queue"),
            ("e mails", "'e mails' has a space in its name"),
            ("emails, emails", "'emails' is defined twice"),
            ("emails,,reports", "'emails,,reports' has an empty item; remove the extra comma"),
            ("emails:0", "'emails:0' has an invalid concurrency after ':' (1 to 1000, or auto)"),
            ("emails:-1", "'emails:-1' has an invalid concurrency after ':' (1 to 1000, or auto)"),
            ("emails:1.5", "'emails:1.5' has an invalid concurrency after ':' (1 to 1000, or auto)"),
            (f"emails:{10**9}", "'emails:1000000000' has an invalid concurrency after ':' (1 to 1000, or auto)"),
            ("emails@fork", "'emails@fork' has an unknown pool after '@' (choose from prefork, threads, gevent)"),
            ("q" * 300, f"'{'q' * 59}…' has a name of 300 characters; the maximum is 54"),
            ("celery", "'celery' has a reserved name: Celery uses names that begin with 'celery'"),
        )
    ],
    "beat_jobs": [
        (answer, f"{quote_piece(answer.split('; ')[-1])} {problem}. Example: {JOBS_EXAMPLE}")
        for answer, problem in (
            ("tidy = 0 3 * *", f"has 4 cron fields {CRON_FIELDS}"),
            ("tidy = 0 3 * * * *", f"has 6 cron fields {CRON_FIELDS}"),
            ("tidy = 0 24 * * *", "has the invalid hour '24' (allowed: 0-23, *, */2 and lists)"),
            ("tidy = 0 3 * * noday", "has the invalid day of week 'noday' (allowed: 0-6, sun-sat, *, */2 and lists)"),
            ("tidy = @daily -> nowhere", f"has an unknown queue after '->' (choose from {QUEUE_NAMES})"),
            ("tidy = @daily; tidy = @hourly", "has a duplicate name ('-' and '_' are equivalent)"),
            ("import = @daily", "has an invalid name: it is a Python keyword"),
            ("tidy(now()) = @daily", "has arguments that are not Python literals"),
            ("tidy(now) = @daily", "has the name 'now', which is not a literal; put strings in quotes"),
            ("tidy = every 0m", "has an interval out of range (1 second to 365 days)"),
            ("tidy = every 10", "has an invalid interval after 'every'; write a whole number and s, m, h or d"),
            ("tidy = 0 3 1 * mon", f"restricts both day of month and day of week: {BOTH_DAYS}"),
            ("tidy = 0 3 31 2 *", "never runs: the day does not occur in these months"),
        )
    ],
} | {
    question: [
        (answer, f"{line}. Example: {EXAMPLES[question]}")
        for answer, line in (("", "'' is empty"), (" \t ", "'' is empty"), ("a\nb", rf"'a\nb' {CONTROL_CHARACTER}"))
    ]
    for question in TEXTS
}


@pytest.mark.parametrize(
    ("question", "answer", "line"),
    [(question, answer, line) for question, invalid in INVALID.items() for answer, line in invalid],
)
def test_an_invalid_answer_is_one_line_and_creates_no_files(
    question: str, answer: str, line: str, tmp_path: Path
) -> None:
    assert get_error_lines(tmp_path, {question: answer}) == [f"{question}: {line}"]


@pytest.mark.parametrize("question", TEXTS[:3])
def test_text_of_2000_characters_is_rejected(question: str, tmp_path: Path) -> None:
    (line,) = get_error_lines(tmp_path, {question: "x" * 2000})
    assert re.fullmatch(rf"{question}: 'x{{59}}…' has 2000 characters; the maximum is \d+\. Example: .*", line)


def test_each_text_question_has_invalid_answers() -> None:
    assert set(INVALID) == {name for name, default in questions().items() if isinstance(default, str)}


@pytest.mark.usefixtures("home")
def test_the_command_reports_all_errors_at_once(tmp_path: Path) -> None:
    invalid = {
        "project_name": "a\u202eb",
        "project_slug": "my-shop",
        "author_email": "nobody",
        "queues": "e mails:0, emails, emails@x",
        "beat_jobs": "import = 0 3 * * -> nowhere; tidy = every 0s",
        "timezone": "Mars/Olympus",
        "task_time_limit": "-1",
    }
    ran = run_cookiecutter(tmp_path, *(f"{question}={answer}" for question, answer in invalid.items()))
    assert (ran.returncode, ran.stderr) == (1, "")
    assert [line.partition(" ")[0] for line in ran.stdout.splitlines()] == [
        *("project_name:", "author_email:", "project_slug:", "queues:", "queues:", "queues:", "queues:"),
        *("beat_jobs:", "beat_jobs:", "beat_jobs:", "beat_jobs:", "timezone:", "task_time_limit:"),
    ]
    assert r"project_name: 'a\u202eb' contains a line break" in ran.stdout
    assert files_under(tmp_path / "output") == []


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("question", "answer", "line"),
    [
        ("queues", *INVALID["queues"][1]),
        ("beat_jobs", *INVALID["beat_jobs"][0]),
        ("project_slug", *INVALID["project_slug"][1]),
    ],
)
def test_the_command_exits_with_1_and_prints_only_the_error(
    question: str, answer: str, line: str, tmp_path: Path
) -> None:
    ran = run_cookiecutter(tmp_path, f"{question}={answer}")
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, f"{question}: {line}\n", "")
    assert files_under(tmp_path / "output") == []


OLD_REPLAY = {"__check": "", "_extensions": ["local_extensions.PlanExtension"]}
"""The private variables in a replay file of an older version, in which fewer answers were checked at the prompt."""


def run_replay(folder: Path, private: dict[str, object], **answers: object) -> subprocess.CompletedProcess[str]:
    """Run `cookiecutter` with a replay file."""
    context = {**DEFAULTS, **answers, **private}
    (folder / "answers.json").write_text(json.dumps({"cookiecutter": context}), encoding="utf-8")
    output = folder / "output"
    output.mkdir(exist_ok=True)
    return subprocess.run(
        [sys.executable, "-m", "cookiecutter", str(ROOT), "--replay-file=answers.json", f"--output-dir={output}"],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=60,
        cwd=folder,
    )


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("private", [OLD_REPLAY, {}], ids=["old", "answers only"])
def test_answers_in_a_replay_file_are_validated(private: dict[str, object], tmp_path: Path) -> None:
    ran = run_replay(tmp_path, private, project_slug="../shop", broker="none-such")
    assert (ran.returncode, ran.stderr) == (1, "")
    assert ran.stdout.splitlines() == [
        f"project_slug: '../shop' is not a valid package name: {USE_ONLY_AND_BEGIN}. Example: shop",
        "broker: 'none-such' is not a valid choice (choose from redis, rabbitmq, sqs). Example: redis",
    ]
    assert files_under(tmp_path / "output") == []
    assert not (tmp_path / "shop").exists()


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("private", [OLD_REPLAY, {}], ids=["old", "answers only"])
def test_a_replay_file_with_valid_answers_generates_the_project(private: dict[str, object], tmp_path: Path) -> None:
    ran = run_replay(tmp_path, private, project_slug="shop", description="{{ 1 }}")
    assert (ran.returncode, ran.stdout) == (0, "")
    project = tmp_path / "output" / "shop"
    assert (
        tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]["description"] == "{{ 1 }}"
    )


# Cookiecutter validates choices before it loads the extension, and raises a ValueError.
@pytest.mark.parametrize("answer", ["", "none-such", "Redis"])
@pytest.mark.parametrize("question", [name for name, default in questions().items() if isinstance(default, list)])
def test_an_unknown_choice_is_rejected_by_cookiecutter(question: str, answer: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=question) as failure:
        cookiecutter(str(ROOT), no_input=True, extra_context={question: answer}, output_dir=str(tmp_path))
    assert str(failure.value) == (
        f"{answer} provided for choice variable {question}, but the choices are {questions()[question]}."
    )
    assert files_under(tmp_path) == []


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (
            "broker=none-such",
            "none-such provided for choice variable broker, but the choices are ['redis', 'rabbitmq', 'sqs'].",
        ),
        ("examples=maybe", "maybe provided for variable examples could not be converted to a boolean."),
    ],
)
def test_the_last_line_of_cookiecutters_error_contains_question_and_choices(
    answer: str, line: str, tmp_path: Path
) -> None:
    ran = run_cookiecutter(tmp_path, answer)
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[-1] == f"ValueError: {line}"
    assert files_under(tmp_path / "output") == []


HOSTILE = {
    "quotes": """it's "quoted" '''thrice''' \"\"\"too\"\"\" `and` so\"""",
    "backslashes": "\\ back\\slash \\n \\u0041 \\\\server\\share \\",
    "hashes": "# C# #1 ## # {# no comment #}",
    "percents": "% 100 % %h %% %(x)s %s",
    "dollars": "$HOME ${HOME} $(id) $$ `id` ; id && id | id > x",
    "our own folder": "{{cookiecutter.project_slug}}",
    "jinja": "{{ cookiecutter.project_slug }} {{ 7 * 7 }} {% raw %} {%- x",
    "half a tag": "}} {{ %} {%",
    "an undefined name": "{{ unknown.name }}",
    "html": "<script>alert(1)</script> &amp; <!-- x --> <b>",
    "markdown": "*a* _b_ ~~c~~ [d](e) ![f](g) | h | - i",
    "a list": "- 1. item",
    "yaml": "key: [value, *anchor, &x, !!python/object:os.system]",
    "toml": '"]\nx = 1'.replace("\n", " "),
    "a part of a split file": "=== ../../evil.py ===",
    "python": '"; import os; os.system("id") #',
    "emoji": "🎉 👩‍👩‍👧 ½ ﬁ",
    "right to left": "שלום עולם and مرحبا بالعالم",
    "other letters": "日本語 Ελληνικά Żółć",
}


def render_element(markdown: str, tag: str) -> str:
    """Return the text of the first element with this tag in rendered Markdown."""
    found = re.search(rf"<{tag}>(.*?)</{tag}>", MarkdownIt().enable("table").render(markdown), flags=re.DOTALL)
    assert found
    return html.unescape(found[1])


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
def test_hostile_text_is_preserved_and_each_file_parses(text: str, bake: Bakery) -> None:
    project = bake(project_name=text, description=text, author_name=text, project_slug="shop", license="Proprietary")

    assert_every_file_parses(project.path)
    assert [path.name for path in project.path.parent.iterdir()] == ["shop"]
    metadata = tomllib.loads(project.read("pyproject.toml"))["project"]
    assert metadata["description"] == text
    assert metadata["authors"] == [{"name": text, "email": "team@example.com"}]
    assert (render_element(project.read("README.md"), "h1"), render_element(project.read("README.md"), "p")) == (
        text,
        text,
    )
    assert ast.get_docstring(ast.parse(project.read("src/shop/__init__.py")), clean=False) == f"{text}."
    assert f"Copyright (c) {text}" in project.read("LICENSE")


@pytest.mark.usefixtures("home")
def test_input_at_the_prompts_is_not_rendered_as_a_template(tmp_path: Path) -> None:
    typed = {"project_slug": "shop", "description": HOSTILE["jinja"], "broker": "2"}
    answers = "".join(f"{typed.get(question, '')}\n" for question in questions())
    ran = subprocess.run(
        [sys.executable, "-m", "cookiecutter", str(ROOT), f"--output-dir={tmp_path / 'output'}"],
        input=answers,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
        timeout=60,
    )
    assert "[1/20] Project name (Background Jobs):" in ran.stdout
    assert "2 - rabbitmq    - RabbitMQ with quorum queues" in ran.stdout
    metadata = tomllib.loads((tmp_path / "output" / "shop" / "pyproject.toml").read_text(encoding="utf-8"))
    assert metadata["project"]["description"] == HOSTILE["jinja"]


def test_hostile_text_changes_only_the_files_that_contain_it(bake: Bakery) -> None:
    plain = bake(project_slug="shop", license="Proprietary")
    hostile = bake(
        project_name=HOSTILE["jinja"],
        description=HOSTILE["python"],
        author_name=HOSTILE["dollars"],
        author_email="$x{{y}}`z`%h|'#@example.com",
        project_slug="shop",
        license="Proprietary",
    )
    assert_every_file_parses(hostile.path)
    assert hostile.files() == plain.files()
    different = {name for name in plain.files() if plain.read(name) != hostile.read(name)}
    dashboard = "deploy/monitoring/grafana/dashboards/queues.json"
    assert different == {
        ".devcontainer/devcontainer.json",
        "LICENSE",
        "README.md",
        "pyproject.toml",
        "src/shop/__init__.py",
        dashboard,
    }


def test_hostile_arguments_of_jobs_are_preserved(bake: Bakery) -> None:
    values = [*HOSTILE.values(), "\x00\x1b\n\r\t\u2028\u202e"]
    project = bake(project_slug="shop", beat_jobs=f"tidy({values!r}, to={values[0]!r}) = @daily")

    assert_every_file_parses(project.path)
    tree = ast.parse(project.read("src/shop/schedule.py"))
    dicts = [node for node in ast.walk(tree) if isinstance(node, ast.Dict)]
    entries = {
        ast.literal_eval(key): value for node in dicts for key, value in zip(node.keys, node.values, strict=True) if key
    }
    assert ast.literal_eval(entries["args"]) == [values]
    assert ast.literal_eval(entries["kwargs"]) == {"to": values[0]}
    written = ast.parse(
        render_element(project.read("README.md").partition("### Periodic tasks")[2], "code"), mode="eval"
    ).body
    assert isinstance(written, ast.Call)
    assert ast.literal_eval(written.args[0]) == values


def test_surrounding_whitespace_is_removed_from_text(bake: Bakery) -> None:
    project = bake(project_name="  Shop \n", description="\tSells. ", project_slug="shop")

    assert_every_file_parses(project.path)
    assert tomllib.loads(project.read("pyproject.toml"))["project"]["description"] == "Sells."
    assert project.read("src/shop/__init__.py").startswith('"""Shop."""\n')
    assert project.read("README.md").startswith("# Shop\n\nSells.\n")


@pytest.mark.parametrize("answers", [{"beat_jobs": ""}, {"beat_jobs": " ; \n"}, {"queues": "a-1:auto@gevent"}])
def test_an_unusual_valid_answer_is_accepted(answers: dict[str, str], bake: Bakery) -> None:
    assert_every_file_parses(bake(**answers).path)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.py", "x = "),
        ("a.toml", 'x = "'),
        ("a.yaml", "a: b: c"),
        ("a.service", "[Unit]\nno setting\n"),
        ("a.conf", "[Service]\nno setting\n"),
        ("a.conf", "??\n"),
        ("a.sh", "#!/bin/sh\nif true; then\n"),
        ("a.md", "```\nnot closed\n"),
        ("a.md", "| a | b |\n|---|---|\n| a | b | c |\n"),
        ("a.env", "not a variable\n"),
        (".gitignore", "a b\n"),
        (".editorconfig", "[a\n"),
        ("Dockerfile", "FORM x\n"),
        ("Makefile", "a:\n    spaces\n"),
        ("LICENSE", "\n"),
        ("py.typed", "x"),
        ("unknown.kind", ""),
    ],
)
def test_a_file_that_does_not_parse_is_detected(name: str, content: str) -> None:
    assert find_problem(name, content.encode())


def test_a_file_that_is_not_utf_8_is_detected() -> None:
    assert find_problem("LICENSE", b"\xff")
    assert find_problem("LICENSE", b"\0")
