"""The model of a pause."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple

Kind = Literal["queue", "periodic task"]


class Pause(NamedTuple):
    """A paused queue or periodic task.

    Attributes:
        kind: A `Kind`.
        name: The name of the queue, or of the schedule entry.
        at: The time of the pause.
        by: The client or user who paused it.
    """

    kind: str
    name: str
    at: datetime
    by: str


def by_name(pauses: Iterable[Pause], kind: Kind) -> dict[str, Pause]:
    """Return the pauses of a kind by name."""
    return {pause.name: pause for pause in pauses if pause.kind == kind}
