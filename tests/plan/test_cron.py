"""The parser for cron expressions is equivalent to the parser of Celery."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise, product
from typing import TYPE_CHECKING, Any

import pytest
from celery.schedules import ParseException, crontab
from hypothesis import example, given, settings
from hypothesis import strategies as st

from local_extensions.cron import DAY, FIELDS, MONTHS, WEEKDAY, WEEKDAYS, Cron, ScheduleError, parse_cron, parse_field

if TYPE_CHECKING:
    from local_extensions.cron import Field

ARGUMENTS = [field.argument for field in FIELDS]

# Valid and invalid numbers, names and separators in any order.
tokens = st.one_of(
    st.integers(0, 70).map(str),
    st.sampled_from([*MONTHS, *WEEKDAYS, "monday", "SUN", "x", "", "00", "1_0", "٣"]),
    st.sampled_from(["*", "/", "-", ",", "*/", "+", " "]),
)
scribbles = st.lists(tokens, min_size=1, max_size=6).map("".join)


def numbers(field: Field) -> st.SearchStrategy[str]:
    plain = st.integers(field.minimum, field.maximum).map(str)
    return st.one_of(plain, st.sampled_from(field.names)) if field.names else plain


def parts(field: Field) -> st.SearchStrategy[str]:
    number = numbers(field)
    span = st.tuples(number, number).map("-".join)
    stepped = st.tuples(st.one_of(span, st.just("*")), st.integers(1, 70).map(str)).map("/".join)
    return st.one_of(st.just("*"), number, span, stepped)


def fields(field: Field) -> st.SearchStrategy[str]:
    """Return a strategy for valid texts of a field."""
    return st.one_of(st.just("*"), st.lists(parts(field), min_size=1, max_size=3).map(",".join))


def parse_with_celery(field: Field, text: str) -> set[int] | None:
    """Return the values of a field in Celery, or None if Celery rejects the field."""
    try:
        values = getattr(crontab(**{field.argument: text}), field.argument)
    except (ValueError, ParseException):
        return None
    return set(values)


def parse_with_template(field: Field, text: str) -> set[int] | None:
    """Return the values of a field in the template, or None if the template rejects it."""
    try:
        return set(parse_field(field, text)[1])
    except ScheduleError:
        return None


@settings(max_examples=400)
@given(st.sampled_from(FIELDS), st.one_of(scribbles, st.text(max_size=8)))
@example(FIELDS[WEEKDAY], "7")  # Sunday is only 0
@example(FIELDS[WEEKDAY], "fri-mon")
@example(FIELDS[0], "*/5-30")  # parsed as */5
@example(FIELDS[0], "1-5/2,x")
@example(FIELDS[0], "-0")
@example(FIELDS[0], "*\n")
@example(FIELDS[0], "*/0")
@example(FIELDS[0], "*/" + "9" * 5000)
@example(FIELDS[DAY], "0")
def test_celery_and_the_template_parse_a_field_equally(field: Field, text: str) -> None:
    assert parse_with_template(field, text) == parse_with_celery(field, text)


@settings(max_examples=200)
@given(st.data())
def test_a_valid_field_is_accepted_by_both(data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(FIELDS))
    text = data.draw(fields(field))
    assert parse_with_celery(field, text) is not None
    assert parse_with_template(field, text) == parse_with_celery(field, text)


@settings(max_examples=200)
@given(st.sampled_from(FIELDS), scribbles)
def test_the_normal_form_of_a_field_is_equivalent_and_stable(field: Field, text: str) -> None:
    try:
        normal, values = parse_field(field, text)
    except ScheduleError:
        return
    assert parse_field(field, normal) == (normal, values)
    assert parse_with_celery(field, normal) == set(values)
    assert normal.isascii()
    assert normal.isprintable()


@settings(max_examples=200)
@given(st.tuples(*map(fields, FIELDS)))
@example(("0", "0", "31", "2", "*"))
@example(("0", "0", "30-31", "feb", "*"))
@example(("0", "0", "29", "2", "*"))
@example(("*", "*", "*/1", "*", "mon"))
def test_a_cron_expression_is_rejected_if_celery_rejects_it_or_if_it_restricts_both_day_fields(
    texts: tuple[str, ...],
) -> None:
    try:
        celery: Any = crontab(**dict(zip(ARGUMENTS, texts, strict=True)))
    except ValueError as error:
        assert "never occurs" in str(error)
        with pytest.raises(ScheduleError):
            parse_cron(list(texts))
        return
    if len(celery.day_of_month) < 31 and len(celery.day_of_week) < 7:
        with pytest.raises(ScheduleError, match="Celery requires both to match, cron only one"):
            parse_cron(list(texts))
        return
    assert [set(values) for values in parse_cron(list(texts)).values] == [getattr(celery, name) for name in ARGUMENTS]


def list_days_with_runs(cron: Cron) -> list[datetime]:
    """Return the days with runs in eleven years that include three leap years."""
    first = datetime(2023, 1, 1, tzinfo=UTC)
    every = (first + timedelta(days=number) for number in range(11 * 365 + 3))
    return [
        day
        for day in every
        if day.month in cron.values[3] and day.day in cron.values[2] and day.isoweekday() % 7 in cron.values[4]
    ]


def compute_gap_from_runs(cron: Cron) -> float:
    """Return the shortest interval between two runs in seconds, computed from a list of all runs."""
    times = sorted(timedelta(hours=h, minutes=m) for h, m in product(cron.values[1], cron.values[0]))
    days = list_days_with_runs(cron)
    within = [later - earlier for earlier, later in pairwise(times)]
    across = [later + times[0] - earlier - times[-1] for earlier, later in pairwise(days)]
    return min(within + across).total_seconds()


@st.composite
def crons(draw: st.DrawFn) -> Cron:
    texts = [draw(fields(field)) for field in FIELDS]
    texts[draw(st.sampled_from([DAY, WEEKDAY]))] = "*"
    try:
        return parse_cron(texts)
    except ScheduleError:
        return parse_cron(["0", "0", "29", "2", "*"])


@settings(max_examples=80)
@given(crons())
@example(parse_cron("0 0 29 2 *".split()))
@example(parse_cron("0 0 31 * *".split()))
@example(parse_cron("59 23 28 2 *".split()))
@example(parse_cron("0 0 28,29 2 *".split()))
@example(parse_cron("0 0 1 1,3 *".split()))
@example(parse_cron("0 0 * * mon,fri".split()))
@example(parse_cron("0 0 * 2,7 sun-mon".split()))
@example(parse_cron("0,59 0,23 * * *".split()))
def test_the_gap_is_the_shortest_interval_between_two_runs(cron: Cron) -> None:
    assert cron.gap == compute_gap_from_runs(cron)


def test_the_gap_equals_the_shortest_interval_in_celery() -> None:
    cron = parse_cron("30 22-2/2 1,15 * *".split())
    schedule: Any = crontab(**dict(zip(ARGUMENTS, cron.texts, strict=True)))
    schedule.tz = UTC
    now = datetime(2027, 1, 1, tzinfo=UTC)
    runs: list[datetime] = []
    while len(runs) < 200:
        last, delta, _ = schedule.remaining_delta(now)
        now = last + delta
        runs.append(now)
    assert min(later - earlier for earlier, later in pairwise(runs)).total_seconds() == cron.gap


@pytest.mark.parametrize(
    ("field", "text", "normal"),
    [
        (FIELDS[0], "05,*/15", "5,*/15"),
        (FIELDS[1], "jan", "1"),  # Celery accepts it; the normal form shows its meaning
        (FIELDS[3], "January-MAR/2", "jan-mar/2"),
        (FIELDS[3], "mon", "1"),
        (FIELDS[4], "sunday,1", "sun,1"),
        (FIELDS[0], "*/5-30", "*/5"),
        (FIELDS[0], "*/999", "*/60"),
    ],
)
def test_the_normal_form_of_a_field_is_what_celery_parses(field: Field, text: str, normal: str) -> None:
    assert parse_field(field, text)[0] == normal


@pytest.mark.parametrize("count", [1, 4, 6, 7])
def test_a_cron_expression_has_five_fields(count: int) -> None:
    with pytest.raises(ScheduleError, match=f"has {count} cron fields instead of 5"):
        parse_cron(["*"] * count)
