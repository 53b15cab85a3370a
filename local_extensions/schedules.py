"""When a beat job runs: a cron, an interval, or an event of the sun."""

from __future__ import annotations

import re
from dataclasses import dataclass

from local_extensions.cron import DAY, FIELDS, HOUR, MINUTE, MONTH, WEEKDAY, Cron, CronError, parse_cron
from local_extensions.python_code import call, python

NICKNAMES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
}

UNITS = {"d": ("day", 86400), "h": ("hour", 3600), "m": ("minute", 60), "s": ("second", 1)}
LONGEST_INTERVAL = 365 * 86400

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
SOLAR_GAP = 12 * 3600
"""Seconds: an event of the sun comes once a day, but far from the equator it may come hours earlier than the day
before, and within ten degrees of a pole at any time."""

MONTH_NAMES = (
    *("January", "February", "March", "April", "May", "June", "July"),
    *("August", "September", "October", "November", "December"),
)
WEEKDAY_NAMES = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
LONGEST_WORDS = 60
"""Characters, beyond which a cron is better read as a cron."""


@dataclass(frozen=True)
class Schedule:
    """When a job runs.

    Attributes:
        kind: "crontab", "interval" or "solar", which are also what Python needs to import for it.
        text: the schedule in the language that it was read from; reading it again gives the same schedule.
        code: Python, as `ruff format` writes it where BEAT_SCHEDULE has it.
        words: when that is, to complete "It runs ...".
        gap: seconds of the shortest time between two runs.
    """

    kind: str
    text: str
    code: str
    words: str
    gap: int

    @property
    def expires(self) -> int | float:
        """Seconds after which a run that no worker took is dropped: before the next one is due."""
        return self.gap * 9 // 10 if self.gap >= 10 else self.gap * 9 / 10


def parse_schedule(text: str) -> Schedule:
    """The schedule that a text means.

    Raises:
        CronError: it is none; the message completes "'piece' ...".
    """
    words = text.split()
    if not words:
        raise CronError("has no schedule after '='")
    if words[0] == "every":
        return _interval(" ".join(words[1:]))
    if words[0] == "solar":
        return _solar(words[1:])
    if words[0].startswith("@"):
        cron = NICKNAMES.get(text.strip())
        if cron is None:
            raise CronError(f"has no known name after '@': it is one of {', '.join(NICKNAMES)}")
        words = cron.split()
    return _crontab(parse_cron(words))


def _interval(text: str) -> Schedule:
    """`10m`."""
    match = re.fullmatch(r"0*([0-9]{1,9}) ?([smhd])", text)
    if not match:
        raise CronError("has no whole number and unit (s, m, h or d) after 'every'")
    seconds = int(match[1]) * UNITS[match[2]][1]
    if not 1 <= seconds <= LONGEST_INTERVAL:
        raise CronError("has an interval that is not between 1 second and 365 days")
    letter, (unit, size) = next((letter, unit) for letter, unit in UNITS.items() if seconds % unit[1] == 0)
    count = seconds // size
    words = f"every {unit}" if count == 1 else f"every {count} {unit}s"
    return Schedule("interval", f"every {count}{letter}", f"timedelta({unit}s={count})", words, seconds)


def _solar(words: list[str]) -> Schedule:
    """`sunset 48.85 2.35`."""
    if len(words) != 3:
        raise CronError("has no event, latitude and longitude after 'solar'")
    event, latitude, longitude = words[0], _degrees(words[1], 90), _degrees(words[2], 180)
    if event not in SOLAR_EVENTS:
        raise CronError(f"has no known event of the sun: it is one of {', '.join(SOLAR_EVENTS)}")
    if latitude is None or longitude is None:
        raise CronError("has no latitude from -90 to 90 and longitude from -180 to 180 after the event")
    place = (python(latitude), python(longitude))
    text = f"solar {event} {place[0]} {place[1]}"
    code = f'solar("{event}", {place[0]}, {place[1]})'
    return Schedule("solar", text, code, f"at {SOLAR_EVENTS[event]} ({place[0]}, {place[1]})", SOLAR_GAP)


def _degrees(text: str, most: int) -> int | float | None:
    if not re.fullmatch(r"[+-]?[0-9]{1,3}(\.[0-9]{1,12})?", text) or abs(float(text)) > most:
        return None
    # Four digits after the point are eleven metres, and keep the number out of scientific notation.
    degrees = round(float(text), 4)
    return int(degrees) if degrees.is_integer() else degrees


def _crontab(cron: Cron) -> Schedule:
    arguments = [(FIELDS[i].argument, cron.texts[i]) for i in range(5) if cron.texts[i] != "*"]
    # BEAT_SCHEDULE has it after `"schedule": `, eight columns in, with a comma behind.
    code = call("crontab", arguments, indent=8, used=21)
    return Schedule("crontab", " ".join(cron.texts), code, cron_words(cron), cron.gap)


def cron_words(cron: Cron) -> str:
    """A cron in words, or as a cron if they would be many."""
    text = " ".join(cron.texts)
    plain = f"on cron {text}" if len(text) <= LONGEST_WORDS - 10 else "on a cron of its own"
    time, days = _time_words(cron), _day_words(cron)
    if not time or not days:
        return plain
    words = time if days == "every day" else f"{time}, {days}"
    words = f"{days} {time}" if time.startswith("at ") else words
    return words if len(words) <= LONGEST_WORDS else plain


def _every(text: str, numbers: frozenset[int], most: int, unit: str) -> str:
    """`every 5 minutes` for `*/5` and `every minute` for `*`, if that is what happens all day long, else ""."""
    if text == "*":
        return f"every {unit}"
    match = re.fullmatch(r"\*/([0-9]+)", text)
    if not match or most % int(match[1]) or len(numbers) == 1:
        return ""
    return f"every {unit}" if match[1] == "1" else f"every {match[1]} {unit}s"


def _time_words(cron: Cron) -> str:
    minutes, hours = sorted(cron.values[MINUTE]), sorted(cron.values[HOUR])
    if not cron.restricts(HOUR) and (words := _every(cron.texts[MINUTE], cron.values[MINUTE], 60, "minute")):
        return words
    if len(minutes) * len(hours) <= 4:
        return "at " + _list([f"{hour:02}:{minute:02}" for hour in hours for minute in minutes])
    hourly = _every(cron.texts[HOUR], cron.values[HOUR], 24, "hour")
    if not hourly or len(minutes) > 1:
        return ""
    return hourly if minutes == [0] else f"{hourly} at minute {minutes[0]}"


def _day_words(cron: Cron) -> str:
    days, months, weekdays = (sorted(cron.values[i]) for i in (DAY, MONTH, WEEKDAY))
    match [cron.restricts(i) for i in (DAY, MONTH, WEEKDAY)]:
        case [False, False, False]:
            return "every day"
        case [False, False, True] if weekdays == [1, 2, 3, 4, 5]:
            return "Monday to Friday"
        case [False, False, True]:
            return "every " + _list([WEEKDAY_NAMES[day] for day in sorted(weekdays, key=lambda day: day or 7)])
        case [True, False, False]:
            return f"on day {_list([str(day) for day in days])} of every month"
        case [True, True, False]:
            return "every year on " + _list([f"{day} {MONTH_NAMES[month - 1]}" for month in months for day in days])
    return ""


def _list(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
