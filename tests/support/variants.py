"""The tested variants. The choices come from cookiecutter.json, so a new choice is included without a change here."""

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
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

ROOT = Path(__file__).resolve().parents[2]

Answer = str | bool
First = TypeVar("First")
Second = TypeVar("Second")

# Questions that change the same files: all combinations are baked, linted and type-checked.
CROSSED = ("framework", "broker", "result_backend", "beat_scheduler", "examples", "monitoring", "kubernetes")
# Questions that change dependencies and processes: with each three of their answers, a test suite runs.
DEPENDENCIES = ("framework", "broker", "result_backend", "beat_scheduler")

# Answers for queues and beat jobs. Each shape tests one aspect. The defaults are a shape, too.
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
            "separate line when it is written out as an argument') = 0 6 * * mon -> emails; "
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
        "task_time_limit": "43140",  # the maximum that all brokers support
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


# A solar schedule, which RedBeat does not support.
SOLAR = re.compile(r"[;\n][^;\n]*= *solar [^;\n]*")


@dataclass(frozen=True)
class Variant:
    """A set of answers with a readable id."""

    id: str
    answers: Mapping[str, Answer]
    shape: str = "default"

    def __str__(self) -> str:
        return self.id


def questions() -> dict[str, Any]:
    """Return the questions of cookiecutter.json with their default or their choices."""
    context = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    return {name: value for name, value in context.items() if not name.startswith("_")}


def choices() -> dict[str, list[Answer]]:
    """Return the choices of the questions that have choices, the default first."""
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
    """Yield all combinations of the choices of these questions."""
    offered = choices()
    for answers in itertools.product(*(offered[name] for name in names)):
        yield dict(zip(names, answers, strict=True))


def is_supported(answers: Mapping[str, Answer]) -> bool:
    """Return whether the combination of answers is supported."""
    texts = {name: str(answer).lower() if isinstance(answer, bool) else answer for name, answer in answers.items()}
    return not any(combination.refuses(texts) for combination in UNSUPPORTED)


def drop_unsupported_extras(answers: Mapping[str, Answer]) -> dict[str, Answer]:
    """Return the answers without the extras that the other answers do not support."""
    if "extras" not in answers:
        return dict(answers)
    extras = str(answers["extras"]).split(", ")
    return {**answers, "extras": ", ".join(extra for extra in extras if is_supported({**answers, "extras": extra}))}


def cover(candidates: Sequence[First], parts: Callable[[First], set[Any]]) -> list[First]:
    """Return a small subset of the candidates in which each part of a candidate occurs."""
    found = [parts(candidate) for candidate in candidates]
    missing = set().union(*found)
    chosen: list[First] = []
    while missing:
        best = max(range(len(found)), key=lambda number: len(missing & found[number]))
        missing -= found[best]
        chosen.append(candidates[best])
    return chosen


def cover_pairs(candidates: Sequence[dict[str, Answer]]) -> list[dict[str, Answer]]:
    """Return a small subset in which each pair of answers of the candidates occurs."""
    return cover(candidates, lambda answers: set(itertools.combinations(answers.items(), 2)))


def label(name: str, answer: Answer) -> str:
    """Return the part of a variant's id: `redis` for a choice, `examples` or `no-examples` for a boolean."""
    if isinstance(answer, bool):
        return name if answer else f"no-{name}"
    return answer.lower().replace(", ", "-") or f"no-{name}"


def variant(answers: Mapping[str, Answer], shape: str = "default") -> Variant:
    """Return the variant with these answers, without unsupported extras, and the queues and jobs of a shape."""
    offered = choices()
    answers = drop_unsupported_extras(answers)
    parts = [label(name, answer) for name, answer in answers.items() if len(offered[name]) > 1]
    if shape != "default":
        parts.append(shape)
    shaped = dict(SHAPES[shape])
    if answers.get("beat_scheduler") == "redbeat" and "beat_jobs" in shaped:
        shaped["beat_jobs"] = SOLAR.sub("", shaped["beat_jobs"])
    return Variant("-".join(parts), {**answers, **shaped}, shape)


def crossed_questions() -> list[str]:
    """Return the questions of CROSSED that exist."""
    return [name for name in CROSSED if name in choices()]


def combine_pairs(firsts: Sequence[First], seconds: Sequence[Second], most: int) -> list[tuple[First, Second]]:
    """Return all pairs if there are at most `most`, else about `most` pairs in which all items occur equally often."""
    if len(firsts) * len(seconds) <= most:
        return list(itertools.product(firsts, seconds))
    longest = max(len(firsts), len(seconds))
    rounds = max(1, most // longest)
    return [
        (firsts[turn % len(firsts)], seconds[(turn + turn // len(seconds) + shift) % len(seconds)])
        for shift in range(rounds)
        for turn in range(longest)
    ]


def core_answers() -> list[dict[str, Answer]]:
    """Return all supported combinations of the questions that change the same files."""
    return [answers for answers in combinations(crossed_questions()) if is_supported(answers)]


def varied_answers() -> list[tuple[dict[str, Answer], dict[str, Answer]]]:
    """Return each combination of DEPENDENCIES twice: with alternating other answers, and their opposites."""
    offered = choices()
    names = [name for name in (*crossed_questions(), "extras") if name not in DEPENDENCIES]
    others = list(combinations(names))
    found = []
    for number, answers in enumerate(filter(is_supported, combinations(list(DEPENDENCIES)))):
        # Shifted in each round, so that these answers do not correlate with other answers.
        chosen = others[(number + number // len(others)) % len(others)]
        opposite = {name: next(each for each in offered[name] if each != answer) for name, answer in chosen.items()}
        found.append(({**answers, **chosen}, {**answers, **opposite}))
    return found


def shaped_variants() -> list[Variant]:
    """Return the varied answers, each with the next shape."""
    varied = [answers for both in varied_answers() for answers in both]
    return [variant(answers, shape) for answers, shape in zip(varied, itertools.cycle(SHAPES), strict=False)]


def all_variants() -> list[Variant]:
    """Return the combinations of CROSSED with all other choices, and with all shapes."""
    others = list(combinations([name for name in choices() if name not in crossed_questions()]))
    every = [variant({**core, **other}) for core, other in combine_pairs(core_answers(), others, most=600)]
    return every + [each for each in shaped_variants() if each.shape != "default"]


def dependency_variants() -> list[Variant]:
    """Return a variant for each combination of DEPENDENCIES."""
    return shaped_variants()[::2]


def suite_variants() -> list[Variant]:
    """Return the variants whose test suites run, about 40.

    Each three answers of DEPENDENCIES occur, each two of CROSSED and extras, and each shape with each framework.
    """

    def parts(each: Variant) -> set[Any]:
        dependencies = [(name, each.answers[name]) for name in DEPENDENCIES]
        answers = [(name, answer) for name, answer in each.answers.items() if name in CROSSED]
        extras = [("extras", extra) for extra in str(each.answers["extras"]).split(", ")]
        return {
            *itertools.combinations(dependencies, 3),
            *itertools.combinations([*answers, *extras], 2),
            (each.shape, each.answers["framework"]),
        }

    return cover(dependency_variants(), parts)


def cover_answers(candidates: Sequence[Variant], names: Iterable[str]) -> list[Variant]:
    """Return a small subset of the candidates in which each choice of these questions occurs.

    Raises:
        AssertionError: A choice does not occur in any candidate.
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
    """Return a small set in which each choice and each shape occurs."""
    candidates = [each for each in all_variants() if each.shape == "default"]
    few = [each.answers for each in cover_answers(candidates, choices())]
    # The remaining shapes use the combinations of CROSSED in turn.
    turns = range(max(len(few), len(SHAPES)))
    answers = itertools.chain(few, itertools.cycle(core_answers()))
    return [variant(chosen, shape) for _, chosen, shape in zip(turns, answers, itertools.cycle(SHAPES), strict=False)]
