"""The answers that are texts, numbers or names of something known: read, and checked."""

from __future__ import annotations

import json
import re
import zoneinfo
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from local_extensions.catalogue import UNSUPPORTED, Choice
from local_extensions.names import slug, slug_problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from local_extensions.errors import Mistakes

AnyChoice = TypeVar("AnyChoice", bound=Choice)

QUESTIONS = json.loads((Path(__file__).parents[1] / "cookiecutter.json").read_text(encoding="utf-8"))
BOOLEAN_QUESTIONS = tuple(question for question, default in QUESTIONS.items() if isinstance(default, bool))

LONGEST_TEXTS = {"project_name": 80, "description": 300, "author_name": 80, "author_email": 200}
LONGEST_TASK = 12 * 3600
"""Seconds: SQS hides a message for no longer, and a longer task is better cut into pieces."""

YES = frozenset(("1", "true", "t", "yes", "y", "on"))
NO = frozenset(("0", "false", "f", "no", "n", "off"))

NOT_IN_A_LINE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Controls, ends of lines, overrides of the direction of text, halves of characters."""

TIMEZONE = re.compile(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z][A-Za-z0-9_+-]*){0,2}")

EMAIL = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*"
    r"@([A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?\.)+[A-Za-z]([A-Za-z0-9-]*[A-Za-z0-9])?"
)


def read(answers: Mapping[str, object], question: str) -> str:
    """An answer as text, without blanks around it; "" if there is none."""
    return str(answers.get(question, "")).strip()


def read_text(answers: Mapping[str, object], question: str, mistakes: Mistakes) -> str:
    """The answer to a question that takes one line of text."""
    text, longest = read(answers, question), LONGEST_TEXTS[question]
    if not text:
        mistakes.add(question, text, "is empty")
    elif len(text) > longest:
        mistakes.add(question, text, f"has {len(text)} characters, and {longest} are the most")
    elif NOT_IN_A_LINE.search(text):
        mistakes.add(question, text, "has a line break, a control character or one that turns text around")
    elif question == "author_email" and not EMAIL.fullmatch(text):
        mistakes.add(question, text, "is not an e-mail address")
    return text


def read_slug(answers: Mapping[str, object], mistakes: Mistakes) -> str:
    """The name of the project's package, to the letter, since it is in the template's paths."""
    word = str(answers.get("project_slug", ""))
    if problem := slug_problem(word):
        mistakes.add("project_slug", word, problem, slug(word))
    return word


def read_choice(
    answers: Mapping[str, object], question: str, offered: tuple[AnyChoice, ...], mistakes: Mistakes
) -> AnyChoice:
    """The chosen answer. Cookiecutter itself refuses another one, unless a replay file or a program brings it."""
    name = read(answers, question)
    for choice in offered:
        if choice.name == name:
            return choice
    names = ", ".join(choice.name for choice in offered)
    mistakes.add(question, name, f"is not offered, but {names}", offered[0].name)
    return offered[0]


def read_flag(answers: Mapping[str, object], question: str, mistakes: Mistakes) -> bool:
    """The answer to a yes-or-no question, which Cookiecutter gives as a boolean."""
    word = read(answers, question).lower()
    if word not in YES | NO:
        mistakes.add(question, word, "is neither yes nor no", str(QUESTIONS[question]).lower())
    return word in YES


def read_time_limit(answers: Mapping[str, object], mistakes: Mistakes) -> int:
    """Seconds that a task may take."""
    text = read(answers, "task_time_limit")
    digits = text.lstrip("0")
    if re.fullmatch(r"[0-9]{1,5}", digits) and int(digits) <= LONGEST_TASK:
        return int(digits)
    mistakes.add("task_time_limit", text, f"is not a whole number of seconds from 1 to {LONGEST_TASK} (12 hours)")
    return LONGEST_TASK


@lru_cache(maxsize=1)
def known_timezones() -> frozenset[str]:
    """The names of all time zones; none where neither the system nor the package tzdata has a database of them."""
    return frozenset(zoneinfo.available_timezones()) - {"localtime"}


def read_timezone(answers: Mapping[str, object], mistakes: Mistakes) -> str:
    """The IANA name of a time zone; where no database is installed, anything that could be one."""
    name = read(answers, "timezone")
    if name == "UTC":
        return name  # to look through the database takes longer than all other questions together
    known = known_timezones()
    if not name:
        mistakes.add("timezone", name, "is empty")
    elif known and name not in known:
        similar = (zone for zone in known if zone.lower() == name.lower().replace(" ", "_"))
        mistakes.add("timezone", name, "is not the name of an IANA time zone", next(similar, ""))
    elif not TIMEZONE.fullmatch(name):
        mistakes.add("timezone", name, "cannot be the name of an IANA time zone")
    return name


def check_combination(answers: Mapping[str, str], mistakes: Mistakes) -> None:
    """Note every combination of answers that does not work."""
    for refused in UNSUPPORTED:
        if refused.refuses(answers):
            question, answer = next(iter(refused.answers.items()))
            mistakes.add(question, answer, refused.why, refused.instead)
