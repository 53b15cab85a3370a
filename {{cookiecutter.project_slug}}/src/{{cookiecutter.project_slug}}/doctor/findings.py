"""What a check finds."""

from dataclasses import dataclass
from enum import StrEnum


class Status(StrEnum):
    """How bad it is; the worst is last."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes:
        check: its name.
        status: how bad it is.
        what: what it saw, in a sentence without a full stop.
        advice: what to do about it; "" where nothing is wrong.
    """

    check: str
    status: Status
    what: str
    advice: str = ""


def ok(check: str, what: str) -> Finding:
    """Nothing is wrong."""
    return Finding(check, Status.OK, what)


def warning(check: str, what: str, advice: str) -> Finding:
    """Somebody should look at it: it may be on its way to a failure, or meant so."""
    return Finding(check, Status.WARNING, what, advice)


def failure(check: str, what: str, advice: str) -> Finding:
    """Something does not work, or tasks will be lost, run twice or wait."""
    return Finding(check, Status.FAILURE, what, advice)
