"""The beat jobs of a project, with what their tasks, their tests and their schedule entries need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local_extensions.python_code import call, one_line_call, signature

if TYPE_CHECKING:
    from local_extensions.arguments import Argument
    from local_extensions.schedules import Schedule


@dataclass(frozen=True)
class BeatJob:
    """A beat job.

    Attributes:
        name: The name as it was given.
        function: The name of its task's function.
        queue: The name of the queue that it runs on.
        module: The module of that queue's tasks.
        task: The name that Celery knows the task by.
        schedule: When it runs.
        arguments: The arguments that beat sends, positional ones first.
        text: The job in the language of the question `beat_jobs`.
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
        """The key of its entry in the schedule; it stays when the schedule changes."""
        return self.name

    @property
    def expires(self) -> int | float:
        """Seconds after which a run that no worker took is dropped."""
        return self.schedule.expires

    @property
    def args(self) -> list[Any]:
        """The values of the positional arguments."""
        return [item.value for item in self.arguments if not item.keyword]

    @property
    def kwargs(self) -> dict[str, Any]:
        """The values of the keyword arguments, by name."""
        return {item.name: item.value for item in self.arguments if item.keyword}

    @property
    def uses_any(self) -> bool:
        """Whether the type of a parameter contains `Any`."""
        return any("Any" in item.annotation for item in self.arguments)

    @property
    def signature(self) -> str:
        """The line or lines from `def` to the colon of the task's function."""
        keywords = [f"{item.name}: {item.annotation}" for item in self.arguments if item.keyword]
        parameters = [f"{item.name}: {item.annotation}" for item in self.arguments if not item.keyword]
        return signature(self.function, [*parameters, *(["*", *keywords] if keywords else [])])

    @property
    def call(self) -> str:
        """The call of the function in its module with the job's arguments, as a statement indented by 4."""
        return call(f"{self.module}.{self.function}", self._pairs, indent=4, used=4)

    @property
    def one_line_call(self) -> str:
        """The call of the function, without its module and on one line, for Markdown."""
        return one_line_call(self.function, self._pairs)

    @property
    def _pairs(self) -> list[tuple[str, Any]]:
        return [(item.name if item.keyword else "", item.value) for item in self.arguments]
