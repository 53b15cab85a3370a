"""The parser for schedules: code, description and expiry."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import ephem
import pytest
from celery.schedules import BaseSchedule, crontab, solar
from hypothesis import given, settings
from hypothesis import strategies as st

from local_extensions.cron import ScheduleError
from local_extensions.schedules import NICKNAMES, SOLAR_EVENTS, parse_schedule

CELERY = {"crontab": crontab, "solar": solar, "timedelta": timedelta}


def evaluate(code: str) -> BaseSchedule | timedelta:
    """Return the schedule object that the code creates in the generated project."""
    made: BaseSchedule | timedelta = eval(code, CELERY)  # noqa: S307
    return made


fields = st.sampled_from(["*", "0", "5", "*/7", "1-3", "3-1", "1,2", "2-10/4", "jan", "4,sun"])
texts = st.one_of(
    st.tuples(fields, fields, fields, fields, st.just("*")).map(" ".join),
    st.tuples(fields, fields, st.just("*"), fields, fields).map(" ".join),
    st.tuples(st.integers(1, 400 * 86400), st.sampled_from("smhd")).map(lambda pair: f"every {pair[0]}{pair[1]}"),
    st.sampled_from(sorted(NICKNAMES)),
    st.tuples(
        st.just("solar"),
        st.sampled_from(sorted(SOLAR_EVENTS)),
        st.floats(-95, 95).map("{:.6f}".format),
        st.floats(-185, 185).map("{:.2f}".format),
    ).map(" ".join),
)


@settings(max_examples=300)
@given(texts)
def test_schedule_text_round_trips(text: str) -> None:
    try:
        schedule = parse_schedule(text)
    except ScheduleError:
        return
    assert parse_schedule(schedule.text) == schedule
    assert schedule.gap >= 1
    assert 0 < schedule.expires < schedule.gap
    evaluate(schedule.code)


@settings(max_examples=200)
@given(st.text(max_size=30))
def test_any_text_is_parsed_or_rejected_as_a_schedule(text: str) -> None:
    for head in ("", "every ", "solar ", "solar sunset ", "@"):
        try:
            schedule = parse_schedule(head + text)
        except ScheduleError:
            continue
        assert parse_schedule(schedule.text) == schedule


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("0 3 * * *", 'crontab(minute="0", hour="3")'),
        ("* * * * *", "crontab()"),
        ("*/5 * * * Mon-friday", 'crontab(minute="*/5", day_of_week="mon-fri")'),
        ("0 0 1 jan,7 *", 'crontab(minute="0", hour="0", day_of_month="1", month_of_year="jan,7")'),
        ("@weekly", 'crontab(minute="0", hour="0", day_of_week="0")'),
        ("every 10m", "timedelta(minutes=10)"),
        ("every 90 m", "timedelta(minutes=90)"),
        ("every 3600s", "timedelta(hours=1)"),
        ("every 48h", "timedelta(days=2)"),
        ("solar sunset 48.85 2.35", 'solar("sunset", 48.85, 2.35)'),
        ("solar dawn_civil -33.8700001 +151.0", 'solar("dawn_civil", -33.87, 151)'),
    ],
)
def test_the_code_of_a_schedule(text: str, code: str) -> None:
    assert parse_schedule(text).code == code


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 3 * * *", "every day at 03:00"),
        ("0,30 6,18 * * *", "every day at 06:00, 06:30, 18:00 and 18:30"),
        ("* * * * *", "every minute"),
        ("*/15 * * * *", "every 15 minutes"),
        ("*/1 */1 * * *", "every minute"),
        ("*/7 * * * *", "on cron */7 * * * *"),
        ("*/10 * * * 1-5", "every 10 minutes, Monday to Friday"),
        ("0 * * * *", "every hour"),
        ("15 */2 * * *", "every 2 hours at minute 15"),
        ("0 */5 * * *", "on cron 0 */5 * * *"),
        ("0 8 * * mon", "every Monday at 08:00"),
        ("0 8 * * 0,6", "every Saturday and Sunday at 08:00"),
        ("0 0 1 * *", "on day 1 of every month at 00:00"),
        ("0 9 24,25 dec *", "every year on 24 December and 25 December at 09:00"),
        ("5 4 * 2 1", "on cron 5 4 * 2 1"),
        ("*/10 8-18 * * *", "on cron */10 8-18 * * *"),
        ("0 8 * * 1,2,3,4,6", "on cron 0 8 * * 1,2,3,4,6"),
        (f"{','.join(map(str, range(0, 60, 2)))} * * * *", "on a custom cron schedule"),
        ("every 1s", "every second"),
        ("every 60m", "every hour"),
        ("every 90m", "every 90 minutes"),
        ("solar sunset 48.85 2.35", "at sunset (48.85, 2.35)"),
        ("solar dusk_astronomical 0 -0", "at astronomical dusk (0, 0)"),
    ],
)
def test_the_description_of_a_schedule(text: str, words: str) -> None:
    assert parse_schedule(text).words == words


@pytest.mark.parametrize(
    ("text", "expires"),
    [
        ("every 1s", 0.9),
        ("every 7s", 6.3),
        ("every 10s", 9),
        ("every 10m", 540),
        ("0 3 * * *", 77760),
        ("0,1 3 * * *", 54),
        ("solar sunset 48.85 2.35", 38880),
    ],
)
def test_the_expiry_is_90_percent_of_the_gap(text: str, expires: float) -> None:
    assert parse_schedule(text).expires == expires
    assert isinstance(parse_schedule(text).expires, type(expires))


@pytest.mark.parametrize(("event", "latitude"), [("sunrise", 52), ("dusk_nautical", 66), ("sunset", -80)])
def test_solar_events_are_never_closer_than_the_gap(event: str, latitude: int) -> None:
    # Each event in one year, computed by Celery.
    schedule: Any = solar(event, latitude, 10)  # type: ignore[arg-type]
    start, gaps = ephem.Date("2027/1/1"), []  # type: ignore[attr-defined]
    for _ in range(366):
        following = schedule._next_event(start)
        gaps.append((following - start) * 86400)
        start = following + 1 / 86400
    assert min(gaps[1:]) >= parse_schedule(f"solar {event} {latitude} 10").gap


def test_the_solar_events_are_those_of_celery() -> None:
    assert set(SOLAR_EVENTS) == solar._all_events  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "has no schedule after '='"),
        ("every", "has an invalid interval after 'every'; write a whole number and s, m, h or d"),
        ("every 10", "has an invalid interval after 'every'; write a whole number and s, m, h or d"),
        ("every 1.5h", "has an invalid interval after 'every'; write a whole number and s, m, h or d"),
        ("every -1h", "has an invalid interval after 'every'; write a whole number and s, m, h or d"),
        ("every 1 0m", "has an invalid interval after 'every'; write a whole number and s, m, h or d"),
        ("every 0s", "has an interval out of range (1 second to 365 days)"),
        ("every 366d", "has an interval out of range (1 second to 365 days)"),
        ("@never", "has an unknown schedule after '@' (choose from @hourly, @daily, @weekly, @monthly)"),
        ("@daily 5", "has an unknown schedule after '@' (choose from @hourly, @daily, @weekly, @monthly)"),
        ("solar sunset 48.85", "has an incomplete solar schedule; write event, latitude and longitude after 'solar'"),
        ("solar high_noon 1 1", f"has an unknown solar event (choose from {', '.join(SOLAR_EVENTS)})"),
        ("solar sunset 90.1 0", "has an invalid latitude (-90 to 90) or longitude (-180 to 180)"),
        ("solar sunset 0 181", "has an invalid latitude (-90 to 90) or longitude (-180 to 180)"),
        ("solar sunset nan 0", "has an invalid latitude (-90 to 90) or longitude (-180 to 180)"),
        (
            "0 25 * * *",
            "has the invalid hour '25' (allowed: 0-23, *, */2 and lists)",
        ),
        ("0 0 * * 7", "has the invalid day of week '7' (allowed: 0-6, sun-sat, *, */2 and lists)"),
        ("0 0 31 feb *", "never runs: the day does not occur in these months"),
        (
            "* * * *",
            "has 4 cron fields instead of 5 (minute, hour, day of month, month, day of week)",
        ),
    ],
)
def test_an_invalid_schedule_is_rejected_with_its_reason(text: str, problem: str) -> None:
    with pytest.raises(ScheduleError) as raised:
        parse_schedule(text)
    assert str(raised.value) == problem
