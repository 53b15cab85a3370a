"""Questions at the terminal, each repeated until its answer is valid."""

from __future__ import annotations

import inspect
import sys
from typing import TYPE_CHECKING, Any

import click
from cookiecutter.prompt import prompt_for_config, read_user_choice, read_user_variable

from local_extensions.answers import QUESTION_NAMES, QUESTIONS
from local_extensions.errors import InvalidAnswersError
from local_extensions.plan import make_plan

if TYPE_CHECKING:
    from collections.abc import Callable


def repeat_until_valid(answers: dict[str, Any], question: str, render: Callable[[str], str]) -> None:
    """Print the errors of an answer and ask the question again, until there are none.

    Args:
        answers: Cookiecutter's answers so far. The answer to this question is replaced.
        question: The question that Cookiecutter has just asked.
        render: Renders a default that is computed from other answers.
    """
    while lines := find_errors(answers, question):
        click.secho("\n".join(lines), fg="red", err=True)
        default, prompts = QUESTIONS[question], QUESTIONS["__prompts__"]
        if isinstance(default, list):
            answers[question] = read_user_choice(question, default, prompts, "  ")
        else:
            answers[question] = read_user_variable(question, render(default), prompts, "  ")


def find_errors(answers: dict[str, Any], question: str) -> tuple[str, ...]:
    """Return the errors in the answers up to this question, or nothing if an earlier answer is missing.

    Earlier answers are valid. An error in a combination of answers is therefore reported after the last of them.
    """
    answered = QUESTION_NAMES[: QUESTION_NAMES.index(question) + 1]
    if not answers.keys() >= set(answered):
        return ()  # a replay asks only the questions that its file does not answer
    defaults = {name: default[0] if isinstance(default, list) else default for name, default in QUESTIONS.items()}
    try:
        make_plan({**defaults, "beat_jobs": "", **answers})
    except InvalidAnswersError as error:
        return tuple(line for line in error.lines if line.partition(":")[0] in answered)
    return ()


def is_interactive() -> bool:
    """Return whether Cookiecutter asks the questions at a terminal.

    Templates do not get the option `--no-input`. It is an argument of the function that asks the questions, which
    cruft calls directly.
    """
    frame = inspect.currentframe()
    while frame and frame.f_code is not prompt_for_config.__code__:
        frame = frame.f_back
    return frame is not None and not frame.f_locals["no_input"] and sys.stdin.isatty()
