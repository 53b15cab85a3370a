"""The parsers for answers that are text, numbers, booleans, choices or time zones."""

from __future__ import annotations

import json
import re
import zoneinfo
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from local_extensions.catalogue import EXTRAS, UNSUPPORTED, Choice
from local_extensions.names import find_slug_problem, slugify

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_extensions.errors import AnswerErrors

AnyChoice = TypeVar("AnyChoice", bound=Choice)

QUESTIONS = json.loads((Path(__file__).parents[1] / "cookiecutter.json").read_text(encoding="utf-8"))
QUESTION_NAMES = tuple(question for question in QUESTIONS if not question.startswith("_"))
BOOLEAN_QUESTIONS = tuple(question for question, default in QUESTIONS.items() if isinstance(default, bool))

MAX_TEXT_LENGTHS = {"project_name": 80, "description": 300, "author_name": 80, "author_email": 200}
MAX_TASK_TIME_LIMIT = 12 * 3600
"""Seconds. SQS limits the visibility timeout to 12 hours. Split a longer task into several tasks."""

TRUE_WORDS = frozenset(("1", "true", "t", "yes", "y", "on"))
FALSE_WORDS = frozenset(("0", "false", "f", "no", "n", "off"))

FORBIDDEN_CHARACTERS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters, line separators, text direction overrides and surrogates."""

TIMEZONE_PATTERN = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z][A-Za-z0-9_+-]*){0,2}")

EMAIL_PATTERN = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]*[A-Za-z0-9])?"
)


def get_answer(answers: Mapping[str, object], question: str) -> str:
    """Return an answer as text without surrounding whitespace, or "" if it is missing."""
    return str(answers.get(question, "")).strip()


def parse_text(answers: Mapping[str, object], question: str, errors: AnswerErrors) -> str:
    """Return the answer to a question that takes one line of text."""
    text, max_length = get_answer(answers, question), MAX_TEXT_LENGTHS[question]
    if not text:
        errors.add(question, text, "is empty")
    elif len(text) > max_length:
        errors.add(question, text, f"has {len(text)} characters; the maximum is {max_length}")
    elif FORBIDDEN_CHARACTERS.search(text):
        errors.add(question, text, "contains a line break, a control character or a text direction override")
    elif question == "author_email" and not EMAIL_PATTERN.fullmatch(text):
        errors.add(question, text, "is not a valid email address")
    return text


def parse_slug(answers: Mapping[str, object], errors: AnswerErrors) -> str:
    """Return the package name unchanged: Cookiecutter uses the same answer in paths."""
    word = str(answers.get("project_slug", ""))
    if problem := find_slug_problem(word):
        errors.add("project_slug", word, problem, slugify(word))
    return word


def parse_choice(
    answers: Mapping[str, object], question: str, offered: tuple[AnyChoice, ...], errors: AnswerErrors
) -> AnyChoice:
    """Return the chosen record.

    Cookiecutter rejects an unknown choice, except in a replay file.
    """
    name = get_answer(answers, question)
    for choice in offered:
        if choice.name == name:
            return choice
    names = ", ".join(choice.name for choice in offered)
    errors.add(question, name, f"is not a valid choice (choose from {names})", offered[0].name)
    return offered[0]


def parse_boolean(answers: Mapping[str, object], question: str, errors: AnswerErrors) -> bool:
    """Return the answer to a boolean question. Cookiecutter passes a boolean, a replay file may contain text."""
    word = get_answer(answers, question).lower()
    if word not in TRUE_WORDS | FALSE_WORDS:
        errors.add(question, word, "is not a boolean (yes or no)", str(QUESTIONS[question]).lower())
    return word in TRUE_WORDS


def parse_extras(answers: Mapping[str, object], errors: AnswerErrors) -> tuple[Choice, ...]:
    """Return the extras in a comma-separated list. "none" and an empty answer select no extras."""
    text = get_answer(answers, "extras")
    names = [] if text in {"", "none"} else [name.strip() for name in text.split(",")]
    known = {extra.name: extra for extra in EXTRAS}
    for name in names:
        if name not in known:
            errors.add("extras", name, f"is not an extra (choose from {', '.join(known)})")
        elif names.count(name) > 1:
            errors.add("extras", name, "is listed twice")
    return tuple(extra for extra in EXTRAS if extra.name in names)


def parse_time_limit(answers: Mapping[str, object], errors: AnswerErrors) -> int:
    """Return the hard time limit of a task in seconds."""
    text = get_answer(answers, "task_time_limit")
    digits = text.lstrip("0")
    if re.fullmatch(r"[0-9]{1,5}", digits) and int(digits) <= MAX_TASK_TIME_LIMIT:
        return int(digits)
    errors.add("task_time_limit", text, f"is not a whole number of seconds from 1 to {MAX_TASK_TIME_LIMIT} (12 hours)")
    return MAX_TASK_TIME_LIMIT


@lru_cache(maxsize=1)
def get_timezone_names() -> frozenset[str]:
    """Return the IANA time zone names. The set is empty if no time zone database is installed."""
    return frozenset(zoneinfo.available_timezones()) - {"localtime"}


def parse_timezone(answers: Mapping[str, object], errors: AnswerErrors) -> str:
    """Return the IANA time zone name. Without a time zone database, only the syntax is checked."""
    name = get_answer(answers, "timezone")
    if name == "UTC":
        return name  # skip the time zone database: reading it takes longer than all other parsing
    known = get_timezone_names()
    if not name:
        errors.add("timezone", name, "is empty")
    elif known and name not in known:
        similar = (zone for zone in known if zone.lower() == name.lower().replace(" ", "_"))
        errors.add("timezone", name, "is not an IANA time zone name", next(similar, ""))
    elif not TIMEZONE_PATTERN.fullmatch(name):
        errors.add("timezone", name, "is not an IANA time zone name")
    return name


def check_combinations(answers: Mapping[str, str], errors: AnswerErrors) -> None:
    """Add an error for each unsupported combination of answers."""
    for combination in UNSUPPORTED:
        if combination.refuses(answers):
            question, (answer, *_) = next(iter(combination.answers.items()))
            errors.add(question, answer, combination.reason, combination.alternative)
