"""The beat jobs of a project, with the values for tasks, tests and schedule entries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_extensions.python_code import format_call, format_one_line_call, format_signature

if TYPE_CHECKING:
    from local_extensions.arguments import Argument
    from local_extensions.schedules import Schedule


@dataclass(frozen=True)
class BeatJob:
    """A beat job.

    Attributes:
        name: The name as written in the answer.
        function: The name of the task function.
        queue: The name of the queue.
        module: The task module of the queue.
        task: The registered name of the task.
        schedule: The schedule.
        arguments: The arguments that beat sends, positional arguments first.
        text: The job in the syntax of `beat_jobs`.
    """

    name: str
    function: str
    queue: str
    module: str
    task: str
    schedule: Schedule
    arguments: tuple[Argument, ...]
    text: str

    @property
    def key(self) -> str:
        """Return the key of the schedule entry. It does not depend on the schedule."""
        return self.name

    @property
    def expires(self) -> int | float:
        """Return the expiry of a message in seconds."""
        return self.schedule.expires

    @property
    def args(self) -> list[Any]:
        """Return the values of the positional arguments."""
        return [item.value for item in self.arguments if not item.keyword]

    @property
    def kwargs(self) -> dict[str, Any]:
        """Return the values of the keyword arguments by name."""
        return {item.name: item.value for item in self.arguments if item.keyword}

    @property
    def uses_any(self) -> bool:
        """Return whether the annotation of a parameter contains `Any`."""
        return any("Any" in item.annotation for item in self.arguments)

    @property
    def signature(self) -> str:
        """Return the header of the task function, from `def` to the colon."""
        keywords = [f"{item.name}: {item.annotation}" for item in self.arguments if item.keyword]
        parameters = [f"{item.name}: {item.annotation}" for item in self.arguments if not item.keyword]
        return format_signature(self.function, [*parameters, *(["*", *keywords] if keywords else [])])

    @property
    def call(self) -> str:
        """Return a call of the task function with the job's arguments, formatted for an indentation of 4."""
        return format_call(f"{self.module}.{self.function}", self._pairs, indent=4, used=4)

    @property
    def one_line_call(self) -> str:
        """Return a call of the task function on one line without its module, for Markdown."""
        return format_one_line_call(self.function, self._pairs)

    @property
    def _pairs(self) -> list[tuple[str, Any]]:
        return [(item.name if item.keyword else "", item.value) for item in self.arguments]
