"""Which answers are tested. The choices come from cookiecutter.json: a new answer is covered without a change here."""

from __future__ import annotations

import itertools
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from local_extensions.catalogue import EXTRAS, UNSUPPORTED
from local_extensions.names import MAX_NAME_LENGTH, MAX_SLUG_LENGTH

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]

Answer = str | bool
First = TypeVar("First")
Second = TypeVar("Second")

# These change what is in the same files, so every combination of theirs is baked, linted, type-checked and run.
CROSSED = ("framework", "broker", "result_backend", "beat_scheduler", "examples", "monitoring", "kubernetes", "extras")
# These change what is installed and what runs: every combination of theirs runs its own tests.
DEPENDENCIES = ("framework", "broker", "result_backend", "beat_scheduler")

# Queues and beat jobs that stress one thing each. The default answers are a shape, too.
SHAPES: dict[str, dict[str, str]] = {
    "default": {},
    "no-beat": {"beat_jobs": ""},
    "one-queue": {"queues": "default", "beat_jobs": "tidy = @daily"},
    "pools": {
        "queues": "high-priority:auto, thumbnails:1, webhooks:50@threads, crawl:100@gevent",
        "beat_jobs": "sweep = every 30s -> high-priority; fetch = */5 * * * 1-5 -> crawl",
    },
    "arguments": {
        "queues": "emails:8, reports:2@threads",
        "beat_jobs": (
            "purge(30, dry_run=False) = @daily -> reports; "
            "sync([1, 2, 'three'], {'a': None, 'b': [True, 1.5]}, label='it\\'s \"quoted\"', limit=None) = every 90m; "
            "digest('weekly', 10, 20, recipients=['ops@example.com'], subject='A subject that is long enough to need a "
            "line of its own when it is written out as an argument') = 0 6 * * mon -> emails; "
            "lamps(-1) = solar sunset 48.85 2.35 -> reports"
        ),
        "timezone": "Europe/Paris",
    },
    "schedules": {
        "queues": "default:2, slow:1",
        # Line breaks separate jobs, too.
        "beat_jobs": (
            "every-second = every 1s\nevery-two-days = every 2d -> slow\nhourly = @hourly\nweekly = @weekly -> slow\n"
            "monthly = @monthly\nquarter-past = 15 */2 * * *\nsome-months = 0 0 1 jan,jul * -> slow\n"
            "office-hours = 0 9-17 * * mon-fri\ndawn = solar dawn_civil -33.87 151.21"
        ),
        "task_time_limit": "43140",  # the longest that every broker takes
    },
    "shortest": {"task_time_limit": "1", "timezone": "Asia/Kathmandu"},
    "many": {
        "queues": ", ".join(f"queue-{number}:{1 + number % 8}" for number in range(40)),
        "beat_jobs": "; ".join(f"job-{number} = every {number + 1}m -> queue-{number % 40}" for number in range(80)),
        "task_time_limit": "3600",
    },
    "long-names": {
        "project_slug": "s" * MAX_SLUG_LENGTH,
        "queues": f"{'q' * MAX_NAME_LENGTH}:1, {'r' * MAX_NAME_LENGTH}:1@threads",
        "beat_jobs": (
            f"{'j' * MAX_NAME_LENGTH} = every 5m -> {'r' * MAX_NAME_LENGTH}; "
            f"{'k' * MAX_NAME_LENGTH}(1, 'two', three=3.0) = @daily"
        ),
    },
}


# A job that follows the sun, which RedBeat cannot keep.
SOLAR = re.compile(r"[;\n][^;\n]*= *solar [^;\n]*")


@dataclass(frozen=True)
class Variant:
    """One set of answers, and a name for it that a person can read."""

    id: str
    answers: Mapping[str, Answer]
    shape: str = "default"

    def __str__(self) -> str:
        return self.id


def questions() -> dict[str, Any]:
    """The public questions of cookiecutter.json, with their default or their list of answers."""
    context = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    return {name: value for name, value in context.items() if not name.startswith("_")}


def choices() -> dict[str, list[Answer]]:
    """The questions that offer answers to choose from, the default first."""
    offered: dict[str, list[Answer]] = {}
    for name, value in questions().items():
        if isinstance(value, bool):
            offered[name] = [value, not value]
        elif isinstance(value, list):
            offered[name] = list(value)
        elif name == "extras":
            offered[name] = ["", ", ".join(extra.name for extra in EXTRAS)]
    return offered


def combinations(names: list[str]) -> Iterator[dict[str, Answer]]:
    """Every combination of the answers to these questions."""
    offered = choices()
    for answers in itertools.product(*(offered[name] for name in names)):
        yield dict(zip(names, answers, strict=True))


def supported(answers: Mapping[str, Answer]) -> bool:
    """Return whether these answers work together."""
    texts = {name: str(answer).lower() if isinstance(answer, bool) else answer for name, answer in answers.items()}
    return not any(refused.refuses(texts) for refused in UNSUPPORTED)


def every_two(candidates: Sequence[dict[str, Answer]]) -> list[dict[str, Answer]]:
    """So few of these combinations of answers that every two answers that do in any of them do in one of these."""
    twos = [set(itertools.combinations(answers.items(), 2)) for answers in candidates]
    missing = set().union(*twos)
    chosen: list[dict[str, Answer]] = []
    while missing:
        best = max(range(len(twos)), key=lambda number: len(missing & twos[number]))
        missing -= twos[best]
        chosen.append(candidates[best])
    return chosen


def label(name: str, answer: Answer) -> str:
    """`redis` for an answer, `examples` or `no-examples` for a boolean."""
    if isinstance(answer, bool):
        return name if answer else f"no-{name}"
    return answer.lower() or f"no-{name}"


def variant(answers: Mapping[str, Answer], shape: str = "default") -> Variant:
    """The variant of these answers and this shape's queues and jobs."""
    offered = choices()
    parts = [label(name, answer) for name, answer in answers.items() if len(offered[name]) > 1]
    if shape != "default":
        parts.append(shape)
    shaped = dict(SHAPES[shape])
    if answers.get("beat_scheduler") == "redbeat" and "beat_jobs" in shaped:
        shaped["beat_jobs"] = SOLAR.sub("", shaped["beat_jobs"])
    return Variant("-".join(parts), {**answers, **shaped}, shape)


def crossed() -> list[str]:
    """The questions of CROSSED that are asked."""
    return [name for name in CROSSED if name in choices()]


def pairs(firsts: Sequence[First], seconds: Sequence[Second], most: int) -> list[tuple[First, Second]]:
    """Every pair, if they are at most `most`; else about that many, in which each of both occurs as often as others."""
    if len(firsts) * len(seconds) <= most:
        return list(itertools.product(firsts, seconds))
    longest = max(len(firsts), len(seconds))
    rounds = max(1, most // longest)
    return [
        (firsts[turn % len(firsts)], seconds[(turn + shift) % len(seconds)])
        for shift in range(rounds)
        for turn in range(longest)
    ]


def core_answers() -> list[dict[str, Answer]]:
    """Every combination of the questions that meet in the same files."""
    return [answers for answers in combinations(crossed()) if supported(answers)]


def varied_answers() -> list[tuple[dict[str, Answer], dict[str, Answer]]]:
    """Every combination of DEPENDENCIES, twice: with some of the crossed booleans in turn, and with their opposites."""
    offered = choices()
    pairs = list(combinations([name for name in crossed() if name not in DEPENDENCIES]))
    found = []
    for number, answers in enumerate(filter(supported, combinations(list(DEPENDENCIES)))):
        # Moved on by one in each round, so that a boolean does not keep to an answer that changes as often.
        chosen = pairs[(number + number // len(pairs)) % len(pairs)]
        opposite = {name: next(each for each in offered[name] if each != answer) for name, answer in chosen.items()}
        found.append(({**answers, **chosen}, {**answers, **opposite}))
    return found


def shaped_variants() -> list[Variant]:
    """The varied answers, each with the next of the shapes, the default among them."""
    varied = [answers for both in varied_answers() for answers in both]
    return [variant(answers, shape) for answers, shape in zip(varied, itertools.cycle(SHAPES), strict=False)]


def all_variants() -> list[Variant]:
    """The crossed combinations with those of all other choices, and with every shape."""
    others = list(combinations([name for name in choices() if name not in crossed()]))
    every = [variant({**core, **other}) for core, other in pairs(core_answers(), others, most=600)]
    return every + [each for each in shaped_variants() if each.shape != "default"]


def suite_variants() -> list[Variant]:
    """Whose own tests are run: half of these, so every combination of DEPENDENCIES once."""
    return shaped_variants()[::2]


def covering(candidates: Sequence[Variant], names: Iterable[str]) -> list[Variant]:
    """So few of the candidates that every answer to these questions occurs at least once.

    Raises:
        AssertionError: no candidate has some answer.
    """
    missing = {(name, answer) for name in names for answer in choices()[name]}
    few: list[Variant] = []
    while missing:
        best = max(candidates, key=lambda each: len(missing & each.answers.items()))
        assert missing & best.answers.items(), missing
        missing -= best.answers.items()
        few.append(best)
    return few


def few_variants() -> list[Variant]:
    """So few that every answer and every shape occurs at least once."""
    candidates = [each for each in all_variants() if each.shape == "default"]
    few = [each.answers for each in covering(candidates, choices())]
    # Shapes that are left over take the crossed combinations in turn.
    turns = range(max(len(few), len(SHAPES)))
    answers = itertools.chain(few, itertools.cycle(core_answers()))
    return [variant(chosen, shape) for _, chosen, shape in zip(turns, answers, itertools.cycle(SHAPES), strict=False)]
