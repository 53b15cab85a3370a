"""The parser for schedules: cron expressions, intervals and solar events."""

from __future__ import annotations

import re
from dataclasses import dataclass

from local_extensions.cron import DAY, FIELDS, HOUR, MINUTE, MONTH, WEEKDAY, Cron, ScheduleError, parse_cron
from local_extensions.python_code import format_call, python

NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
}

UNITS = {"d": ("day", 86400), "h": ("hour", 3600), "m": ("minute", 60), "s": ("second", 1)}
MAX_INTERVAL = 365 * 86400

SOLAR_EVENTS = {
    "dawn_astronomical": "astronomical dawn",
    "dawn_nautical": "nautical dawn",
    "dawn_civil": "civil dawn",
    "sunrise": "sunrise",
    "solar_noon": "solar noon",
    "sunset": "sunset",
    "dusk_civil": "civil dusk",
    "dusk_nautical": "nautical dusk",
    "dusk_astronomical": "astronomical dusk",
}
MIN_SOLAR_INTERVAL = 12 * 3600
"""Seconds. A solar event occurs once a day. At high latitudes it can occur hours earlier than on the previous day, and
within ten degrees of a pole at any time."""

MONTH_NAMES = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
WEEKDAY_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
MAX_DESCRIPTION_LENGTH = 60
"""Characters. A longer description is replaced by the cron expression."""


@dataclass(frozen=True)
class Schedule:
    """A parsed schedule.

    Attributes:
        kind: "crontab", "interval" or "solar".
        text: The normal form of the schedule in the syntax of `beat_jobs`.
        code: The Python expression in BEAT_SCHEDULE, formatted as by `ruff format`.
        words: A description that completes the sentence "It runs ...".
        gap: The shortest interval between two runs, in seconds.
    """

    kind: str
    text: str
    code: str
    words: str
    gap: int

    @property
    def expires(self) -> int | float:
        """Return the expiry of a message in seconds: 90% of the interval, so it expires before the next run is due."""
        return self.gap * 9 // 10 if self.gap >= 10 else self.gap * 9 / 10


def parse_schedule(text: str) -> Schedule:
    """Parse a schedule.

    Raises:
        ScheduleError: The schedule is invalid.
    """
    words = text.split()
    if not words:
        raise ScheduleError("has no schedule after '='")
    if words[0] == "every":
        return _parse_interval(" ".join(words[1:]))
    if words[0] == "solar":
        return _parse_solar(words[1:])
    if words[0].startswith("@"):
        cron = NICKNAMES.get(text.strip())
        if cron is None:
            raise ScheduleError(f"has an unknown schedule after '@' (choose from {', '.join(NICKNAMES)})")
        words = cron.split()
    return _make_crontab(parse_cron(words))


def _parse_interval(text: str) -> Schedule:
    """Parse an interval, for example `10m`."""
    match = re.fullmatch(r"0*([0-9]{1,9}) ?([smhd])", text)
    if not match:
        raise ScheduleError("has an invalid interval after 'every'; write a whole number and s, m, h or d")
    seconds = int(match[1]) * UNITS[match[2]][1]
    if not 1 <= seconds <= MAX_INTERVAL:
        raise ScheduleError("has an interval out of range (1 second to 365 days)")
    letter, (unit, size) = next((letter, unit) for letter, unit in UNITS.items() if seconds % unit[1] == 0)
    count = seconds // size
    words = f"every {unit}" if count == 1 else f"every {count} {unit}s"
    return Schedule("interval", f"every {count}{letter}", f"timedelta({unit}s={count})", words, seconds)


def _parse_solar(words: list[str]) -> Schedule:
    """Parse a solar event, for example `sunset 48.85 2.35`."""
    if len(words) != 3:
        raise ScheduleError("has an incomplete solar schedule; write event, latitude and longitude after 'solar'")
    event, latitude, longitude = words[0], _parse_degrees(words[1], 90), _parse_degrees(words[2], 180)
    if event not in SOLAR_EVENTS:
        raise ScheduleError(f"has an unknown solar event (choose from {', '.join(SOLAR_EVENTS)})")
    if latitude is None or longitude is None:
        raise ScheduleError("has an invalid latitude (-90 to 90) or longitude (-180 to 180)")
    place = (python(latitude), python(longitude))
    text = f"solar {event} {place[0]} {place[1]}"
    code = f'solar("{event}", {place[0]}, {place[1]})'
    return Schedule("solar", text, code, f"at {SOLAR_EVENTS[event]} ({place[0]}, {place[1]})", MIN_SOLAR_INTERVAL)


def _parse_degrees(text: str, maximum: int) -> int | float | None:
    if not re.fullmatch(r"[+-]?[0-9]{1,3}(\.[0-9]{1,12})?", text) or abs(float(text)) > maximum:
        return None
    # Four decimal places are 11 metres, and avoid scientific notation.
    degrees = round(float(text), 4)
    return int(degrees) if degrees.is_integer() else degrees


def _make_crontab(cron: Cron) -> Schedule:
    arguments = [(FIELDS[i].argument, cron.texts[i]) for i in range(5) if cron.texts[i] != "*"]
    # In BEAT_SCHEDULE, `"schedule": ` and an indentation of eight columns precede it, and a comma follows.
    code = format_call("crontab", arguments, indent=8, used=21)
    return Schedule("crontab", " ".join(cron.texts), code, describe_cron(cron), cron.gap)


def describe_cron(cron: Cron) -> str:
    """Return a description of a cron expression, or the expression if the description would be too long."""
    text = " ".join(cron.texts)
    plain = f"on cron {text}" if len(text) <= MAX_DESCRIPTION_LENGTH - 10 else "on a custom cron schedule"
    time, days = _describe_time(cron), _describe_days(cron)
    if not time or not days:
        return plain
    words = time if days == "every day" else f"{time}, {days}"
    words = f"{days} {time}" if time.startswith("at ") else words
    return words if len(words) <= MAX_DESCRIPTION_LENGTH else plain


def _describe_step(text: str, numbers: frozenset[int], size: int, unit: str) -> str:
    """Return "every 5 minutes" for `*/5`, "every minute" for `*`, and "" if the steps are not equal all day."""
    if text == "*":
        return f"every {unit}"
    match = re.fullmatch(r"\*/([0-9]+)", text)
    if not match or size % int(match[1]) or len(numbers) == 1:
        return ""
    return f"every {unit}" if match[1] == "1" else f"every {match[1]} {unit}s"


def _describe_time(cron: Cron) -> str:
    minutes, hours = sorted(cron.values[MINUTE]), sorted(cron.values[HOUR])
    if not cron.restricts(HOUR) and (words := _describe_step(cron.texts[MINUTE], cron.values[MINUTE], 60, "minute")):
        return words
    if len(minutes) * len(hours) <= 4:
        return "at " + _join_words([f"{hour:02}:{minute:02}" for hour in hours for minute in minutes])
    hourly = _describe_step(cron.texts[HOUR], cron.values[HOUR], 24, "hour")
    if not hourly or len(minutes) > 1:
        return ""
    return hourly if minutes == [0] else f"{hourly} at minute {minutes[0]}"


def _describe_days(cron: Cron) -> str:
    days, months, weekdays = (sorted(cron.values[i]) for i in (DAY, MONTH, WEEKDAY))
    match [cron.restricts(i) for i in (DAY, MONTH, WEEKDAY)]:
        case [False, False, False]:
            return "every day"
        case [False, False, True] if weekdays == [1, 2, 3, 4, 5]:
            return "Monday to Friday"
        case [False, False, True]:
            return "every " + _join_words([WEEKDAY_NAMES[day] for day in sorted(weekdays, key=lambda day: day or 7)])
        case [True, False, False]:
            return f"on day {_join_words([str(day) for day in days])} of every month"
        case [True, True, False]:
            return "every year on " + _join_words(
                [f"{day} {MONTH_NAMES[month - 1]}" for month in months for day in days]
            )
    return ""


def _join_words(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
