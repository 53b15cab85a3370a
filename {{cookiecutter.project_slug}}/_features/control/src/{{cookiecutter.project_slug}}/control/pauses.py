"""The model of a pause."""

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
