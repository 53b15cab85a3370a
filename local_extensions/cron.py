"""Cron fields, read exactly as `celery.schedules.crontab` reads them, and what they mean."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate, pairwise

from local_extensions.errors import shown

MINUTE, HOUR, DAY, MONTH, WEEKDAY = range(5)

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
NUMBERS = {name: number for number, name in enumerate(MONTHS, 1)} | {name: i for i, name in enumerate(WEEKDAYS)}
"""Celery takes any of these names in any field, and looks at their first three letters only."""

DAYS_IN_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True)
class Field:
    """One of the five fields: what people and `crontab()` call it, its numbers, and the names it has for them."""

    label: str
    argument: str
    least: int
    most: int
    names: tuple[str, ...] = ()


FIELDS = (
    Field("minute", "minute", 0, 59),
    Field("hour", "hour", 0, 23),
    Field("day of the month", "day_of_month", 1, 31),
    Field("month", "month_of_year", 1, 12, MONTHS),
    Field("weekday", "day_of_week", 0, 6, WEEKDAYS),
)


class CronError(ValueError):
    """A cron that `crontab` refuses, or that never runs, or not when its author thinks. Completes "'piece' ..."."""


@dataclass(frozen=True)
class Cron:
    """Five cron fields.

    Attributes:
        texts: the fields, each as one text whatever way it was written.
        values: the numbers that each stands for.
    """

    texts: tuple[str, ...]
    values: tuple[frozenset[int], ...]

    def restricts(self, index: int) -> bool:
        """Whether a field leaves out any of its numbers."""
        return len(self.values[index]) <= FIELDS[index].most - FIELDS[index].least

    @cached_property
    def gap(self) -> int:
        """Seconds of the shortest time between two runs, where the clock does not change."""
        minutes, hours = sorted(self.values[MINUTE]), sorted(self.values[HOUR])
        day_gap = _shortest_days(self.values[DAY], self.values[MONTH], self.values[WEEKDAY])
        gaps = [1440 * day_gap + 60 * (hours[0] - hours[-1]) + minutes[0] - minutes[-1]]
        gaps += [later - earlier for earlier, later in pairwise(minutes)]
        gaps += [60 * (later - earlier) + minutes[0] - minutes[-1] for earlier, later in pairwise(hours)]
        return 60 * min(gaps)


@lru_cache(maxsize=1024)
def _shortest_days(days: frozenset[int], months: frozenset[int], weekdays: frozenset[int]) -> int:
    """Days from a day with runs to the next such day, at the least; either `days` or `weekdays` is complete."""
    if len(weekdays) < len(WEEKDAYS):
        # Every month is long enough to hold every step from one of these weekdays to the next.
        week = sorted(weekdays)
        return min(later - earlier for earlier, later in pairwise([*week, week[0] + 7]))
    leap = _days_of_year(days, months, february=29)
    common = _days_of_year(days, months, february=28)
    if not common:
        return 4 * 365 + 1  # 29 February
    years = ((0, common), (365, common), (730, leap), (1096, common))
    run_days = [before + day for before, days_of_year in years for day in days_of_year]
    return min(later - earlier for earlier, later in pairwise(run_days))


def _days_of_year(days: frozenset[int], months: frozenset[int], february: int) -> list[int]:
    lengths = [february if length == 29 else length for length in DAYS_IN_MONTH]
    before = [0, *accumulate(lengths)]
    return sorted(before[month - 1] + day for month in months for day in days if day <= lengths[month - 1])


def parse_cron(texts: list[str]) -> Cron:
    """The cron of five fields.

    Raises:
        CronError: Celery refuses a field, or the cron would surprise.
    """
    if len(texts) != len(FIELDS):
        order = ", ".join(field.label for field in FIELDS)
        raise CronError(f"has {len(texts)} cron fields, and cron has {len(FIELDS)}: {order}")
    parsed = [parse_field(field, text) for field, text in zip(FIELDS, texts, strict=True)]
    cron = Cron(tuple(text for text, _ in parsed), tuple(values for _, values in parsed))
    if cron.restricts(DAY) and cron.restricts(WEEKDAY):
        why = "Celery runs it on days that are both, where cron means either; use one of them, or two jobs"
        raise CronError(f"names days of the month and weekdays: {why}")
    if not any(day <= DAYS_IN_MONTH[month - 1] for month in cron.values[MONTH] for day in cron.values[DAY]):
        raise CronError("never runs: no month of these has that day")
    return cron


@lru_cache(maxsize=4096)
def parse_field(field: Field, text: str) -> tuple[str, frozenset[int]]:
    """One field as a normal text, and its numbers.

    This follows `celery.schedules.crontab_parser` step by step. It is lenient in places: `monday` is `mon`, `22-2`
    passes midnight, and what follows a complete range or step (`*/5-30`) is ignored; the normal text does without it.

    Raises:
        CronError: Celery refuses it.
    """
    try:
        parts = [_parse_part(field, part) for part in text.split(",")]
    except ValueError:
        span = f"{field.least}-{field.most}"
        named = f", {field.names[0]}-{field.names[-1]}" if field.names else ""
        raise CronError(
            f"has {shown(text)} for the {field.label}, which takes {span}{named}, *, */2 and lists"
        ) from None
    return ",".join(part for part, _ in parts), frozenset().union(*(values for _, values in parts))


def _parse_part(field: Field, part: str) -> tuple[str, list[int]]:
    if stepped := re.match(r"(\w+?)-(\w+)/(\w+)?", part):
        text, values = _range(field, stepped[1], stepped[2])
        return _step(text, values, stepped[3])
    if ranged := re.match(r"(\w+?)-(\w+)", part):
        return _range(field, ranged[1], ranged[2])
    if star := re.match(r"\*/(\w+)?", part):
        return _step("*", list(range(field.least, field.most + 1)), star[1])
    if re.match(r"\*$", part):
        return "*", list(range(field.least, field.most + 1))
    number = _number(field, part)
    return _name(field, number, part), [number]


def _range(field: Field, first: str, last: str) -> tuple[str, list[int]]:
    start, end = _number(field, first), _number(field, last)
    if start <= end:
        values = list(range(start, end + 1))
    else:
        values = [*range(start, field.most + 1), *range(field.least, end + 1)]
    return f"{_name(field, start, first)}-{_name(field, end, last)}", values


def _step(text: str, values: list[int], step: str | None) -> tuple[str, list[int]]:
    # A step beyond the last value leaves the first, however large it is.
    size = min(int(step or ""), len(values))
    return f"{text}/{size}", values[::size]


def _number(field: Field, text: str) -> int:
    try:
        number = -1 if text.startswith("-") else int(text)  # or "-0" would pass
    except ValueError:
        number = NUMBERS.get(text[:3].lower(), -1)
    if not field.least <= number <= field.most:
        raise ValueError(text)
    return number


def _name(field: Field, number: int, text: str) -> str:
    """The normal text for a number: its name if it was written as a name that this field has, else its digits."""
    name = text[:3].lower()
    return name if name in field.names else str(number)
