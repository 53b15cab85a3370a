"""Invalid answers at a terminal: the question is repeated, and the other answers are kept."""

from __future__ import annotations

import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any

import pexpect  # type: ignore[import-untyped]
import pytest

from local_extensions.answers import QUESTIONS
from local_extensions.prompts import find_errors
from tests.support.answers import DEFAULTS
from tests.support.variants import ROOT, questions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.refusals

PROMPTS = QUESTIONS["__prompts__"]


def start_cookiecutter(tmp_path: Path, *options: str) -> pexpect.spawn:
    """Start Cookiecutter at a terminal. Its output is in `output`."""
    return pexpect.spawn(
        sys.executable,
        ["-m", "cookiecutter", str(ROOT), f"--output-dir={tmp_path / 'output'}", *options],
        env={**os.environ, "HOME": str(tmp_path), "TERM": "dumb"},
        encoding="utf-8",
        timeout=60,
    )


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[pexpect.spawn]:
    """Return a terminal in which Cookiecutter asks its first question."""
    child = start_cookiecutter(tmp_path)
    yield child
    child.close(force=True)


def answer(terminal: pexpect.spawn, question: str, text: str = "", number: str = r"\[\d+/\d+\] ") -> None:
    """Expect a question, and type the answer."""
    label = PROMPTS[question] if isinstance(PROMPTS[question], str) else PROMPTS[question]["__prompt__"]
    terminal.expect(number + re.escape(label).replace(r"\ ", r"\s+"))  # Rich breaks lines
    terminal.expect(r"\):")
    terminal.sendline(text)


def test_invalid_answers_are_asked_again_at_once_and_the_others_are_kept(
    terminal: pexpect.spawn, tmp_path: Path
) -> None:
    """The repeated question has the computed default, and later defaults use the repeated answer."""
    repeated = r"\n  "
    invalid = {
        "project_slug": ("celery", "project_slug: 'celery' is", ""),
        "author_email": ("me", "author_email: 'me' is not a valid email address. Example: team@example.com", "me@a.io"),
        "queues": ("e mails:8", "queues: 'e mails:8' has a space", "emails:8, reports"),
        "beat_jobs": ("purge", "beat_jobs: 'purge' has no schedule", ""),
        "beat_scheduler": ("3", "requires framework 'django'", "2"),
        "timezone": ("Paris", "timezone: 'Paris' is not an IANA time zone name", "Europe/Paris"),
        "task_time_limit": ("5m", "task_time_limit: '5m' is not a whole number", "60"),
    }
    for question in questions():
        if question in invalid:
            wrong, reason, right = invalid[question]
            answer(terminal, question, wrong)
            terminal.expect_exact(reason)
            answer(terminal, question, right, number=repeated)
        else:
            answer(terminal, question, {"project_name": "My Shop"}.get(question, ""))
    terminal.expect(pexpect.EOF)
    terminal.wait()

    assert terminal.exitstatus == 0
    schedule = (tmp_path / "output/my_shop/src/my_shop/schedule.py").read_text(encoding="utf-8")
    assert "my_shop.tasks.reports.cleanup" in schedule
    settings = (tmp_path / "output/my_shop/src/my_shop/celeryconfig.py").read_text(encoding="utf-8")
    assert 'timezone = "Europe/Paris"' in settings


def test_the_word_none_answers_beat_jobs(terminal: pexpect.spawn, tmp_path: Path) -> None:
    for question in questions():
        answer(terminal, question, "none" if question == "beat_jobs" else "")
    terminal.expect(pexpect.EOF)

    assert not (tmp_path / "output/background_jobs/src/background_jobs/schedule.py").exists()


def test_with_no_input_all_errors_are_reported_also_at_a_terminal(tmp_path: Path) -> None:
    child = start_cookiecutter(tmp_path, "--no-input", "project_slug=celery", "timezone=Paris")
    child.expect(pexpect.EOF)
    child.close()

    assert child.exitstatus == 1
    assert [line.partition(":")[0] for line in child.before.split("\r\n")] == ["project_slug", "timezone", ""]
    assert not (tmp_path / "output").exists()


def test_each_question_that_can_have_an_invalid_answer_is_checked_at_once() -> None:
    """Cookiecutter itself repeats an invalid choice or boolean. `beat_scheduler` is valid only with some frameworks."""
    context = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    names = list(context)
    for question in questions():
        check = f"__check_{question}"
        if isinstance(context[question], str) or question == "beat_scheduler":
            assert names[names.index(question) + 1] == check
            assert context[check] == f"{{{{ check('{question}') if check is defined }}}}"
        else:
            assert check not in names


@pytest.mark.parametrize(
    ("answers", "question", "expected"),
    [
        ({"queues": "a b"}, "queues", "queues: 'a b' has a space"),
        ({"broker": "sqs", "task_time_limit": "43200"}, "task_time_limit", "broker: 'sqs' limits"),
        (
            {"beat_jobs": "sun = solar sunset 1 2", "beat_scheduler": "redbeat"},
            "beat_scheduler",
            "beat_jobs: 'sun' has",
        ),
    ],
)
def test_errors_are_found_after_the_last_answer_that_causes_them(
    answers: dict[str, str], question: str, expected: str
) -> None:
    given: dict[str, Any] = {}
    for name, default in DEFAULTS.items():
        given[name] = answers.get(name, default)
        lines = find_errors(given, name)
        assert bool(lines) == (name == question)
        if lines:
            assert lines[0].startswith(expected)
            return


def test_a_replay_that_asks_only_new_questions_is_not_checked() -> None:
    assert find_errors({"queues": "a b"}, "queues") == ()
