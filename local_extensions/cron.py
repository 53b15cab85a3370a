"""The parser for cron fields, equivalent to `celery.schedules.crontab`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate, pairwise

from local_extensions.errors import quote_piece

MINUTE, HOUR, DAY, MONTH, WEEKDAY = range(5)

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
NUMBERS_BY_NAME = {name: number for number, name in enumerate(MONTHS, 1)} | {name: i for i, name in enumerate(WEEKDAYS)}
"""Celery accepts each of these names in every field, and compares only the first three letters."""

DAYS_IN_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


@dataclass(frozen=True)
class Field:
    """A cron field.

    Attributes:
        label: The name in error messages.
        argument: The argument of `crontab()`.
        minimum: The smallest value.
        maximum: The largest value.
        names: The names of the values.
    """

    label: str
    argument: str
    minimum: int
    maximum: int
    names: tuple[str, ...] = ()


FIELDS = (
    Field("minute", "minute", 0, 59),
    Field("hour", "hour", 0, 23),
    Field("day of month", "day_of_month", 1, 31),
    Field("month", "month_of_year", 1, 12, MONTHS),
    Field("day of week", "day_of_week", 0, 6, WEEKDAYS),
)


class ScheduleError(ValueError):
    """An invalid schedule. The message is the predicate of a sentence whose subject is the job."""


@dataclass(frozen=True)
class Cron:
    """A parsed cron expression.

    Attributes:
        texts: The fields in normal form.
        values: The values that each field matches.
    """

    texts: tuple[str, ...]
    values: tuple[frozenset[int], ...]

    def restricts(self, index: int) -> bool:
        """Return whether a field excludes any value."""
        return len(self.values[index]) <= FIELDS[index].maximum - FIELDS[index].minimum

    @cached_property
    def gap(self) -> int:
        """Return the shortest interval between two runs in seconds, without changes of the UTC offset."""
        minutes, hours = sorted(self.values[MINUTE]), sorted(self.values[HOUR])
        day_gap = _find_min_days_between_runs(self.values[DAY], self.values[MONTH], self.values[WEEKDAY])
        gaps = [1440 * day_gap + 60 * (hours[0] - hours[-1]) + minutes[0] - minutes[-1]]
        gaps += [later - earlier for earlier, later in pairwise(minutes)]
        gaps += [60 * (later - earlier) + minutes[0] - minutes[-1] for earlier, later in pairwise(hours)]
        return 60 * min(gaps)


@lru_cache(maxsize=1024)
def _find_min_days_between_runs(days: frozenset[int], months: frozenset[int], weekdays: frozenset[int]) -> int:
    """Return the smallest number of days between two runs. At most one of `days` and `weekdays` is restricted."""
    if len(weekdays) < len(WEEKDAYS):
        # Months are longer than a week, so months do not change the smallest distance.
        week = sorted(weekdays)
        return min(later - earlier for earlier, later in pairwise([*week, week[0] + 7]))
    leap = _list_run_days(days, months, february=29)
    common = _list_run_days(days, months, february=28)
    if not common:
        return 4 * 365 + 1  # 29 February
    years = ((0, common), (365, common), (730, leap), (1096, common))
    run_days = [before + day for before, days_of_year in years for day in days_of_year]
    return min(later - earlier for earlier, later in pairwise(run_days))


def _list_run_days(days: frozenset[int], months: frozenset[int], february: int) -> list[int]:
    lengths = [february if length == 29 else length for length in DAYS_IN_MONTH]
    before = [0, *accumulate(lengths)]
    return sorted(before[month - 1] + day for month in months for day in days if day <= lengths[month - 1])


def parse_cron(texts: list[str]) -> Cron:
    """Parse a cron expression that is split into fields.

    Raises:
        ScheduleError: Celery rejects a field, or the expression never matches, or it is ambiguous.
    """
    if len(texts) != len(FIELDS):
        order = ", ".join(field.label for field in FIELDS)
        raise ScheduleError(f"has {len(texts)} cron fields instead of {len(FIELDS)} ({order})")
    parsed = [parse_field(field, text) for field, text in zip(FIELDS, texts, strict=True)]
    cron = Cron(tuple(text for text, _ in parsed), tuple(values for _, values in parsed))
    if cron.restricts(DAY) and cron.restricts(WEEKDAY):
        why = "Celery requires both to match, cron only one; use one field, or two jobs"
        raise ScheduleError(f"restricts both day of month and day of week: {why}")
    if not any(day <= DAYS_IN_MONTH[month - 1] for month in cron.values[MONTH] for day in cron.values[DAY]):
        raise ScheduleError("never runs: the day does not occur in these months")
    return cron


@lru_cache(maxsize=4096)
def parse_field(field: Field, text: str) -> tuple[str, frozenset[int]]:
    """Return the normal form of a field and its values.

    This implements `celery.schedules.crontab_parser`, which is lenient: `monday` equals `mon`, `22-2` includes
    midnight, and characters after a complete range or step (`*/5-30`) are ignored. The normal form omits them.

    Raises:
        ScheduleError: Celery rejects the field.
    """
    try:
        parts = [_parse_part(field, part) for part in text.split(",")]
    except ValueError:
        span = f"{field.minimum}-{field.maximum}"
        named = f", {field.names[0]}-{field.names[-1]}" if field.names else ""
        allowed = f"allowed: {span}{named}, *, */2 and lists"
        raise ScheduleError(f"has the invalid {field.label} {quote_piece(text)} ({allowed})") from None
    return ",".join(part for part, _ in parts), frozenset().union(*(values for _, values in parts))


def _parse_part(field: Field, part: str) -> tuple[str, list[int]]:
    if stepped := re.match(r"(\w+?)-(\w+)/(\w+)?", part):
        text, values = _parse_range(field, stepped[1], stepped[2])
        return _parse_step(text, values, stepped[3])
    if ranged := re.match(r"(\w+?)-(\w+)", part):
        return _parse_range(field, ranged[1], ranged[2])
    if star := re.match(r"\*/(\w+)?", part):
        return _parse_step("*", list(range(field.minimum, field.maximum + 1)), star[1])
    if re.match(r"\*$", part):
        return "*", list(range(field.minimum, field.maximum + 1))
    number = _parse_number(field, part)
    return _normalize_number(field, number, part), [number]


def _parse_range(field: Field, first: str, last: str) -> tuple[str, list[int]]:
    start, end = _parse_number(field, first), _parse_number(field, last)
    if start <= end:
        values = list(range(start, end + 1))
    else:
        values = [*range(start, field.maximum + 1), *range(field.minimum, end + 1)]
    return f"{_normalize_number(field, start, first)}-{_normalize_number(field, end, last)}", values


def _parse_step(text: str, values: list[int], step: str | None) -> tuple[str, list[int]]:
    # A step that is larger than the range selects only the first value.
    size = min(int(step or ""), len(values))
    return f"{text}/{size}", values[::size]


def _parse_number(field: Field, text: str) -> int:
    try:
        number = -1 if text.startswith("-") else int(text)  # int("-0") is 0
    except ValueError:
        number = NUMBERS_BY_NAME.get(text[:3].lower(), -1)
    if not field.minimum <= number <= field.maximum:
        raise ValueError(text)
    return number


def _normalize_number(field: Field, number: int, text: str) -> str:
    """Return the normal form of a value: its name if the text is a name of this field, else its digits."""
    name = text[:3].lower()
    return name if name in field.names else str(number)
