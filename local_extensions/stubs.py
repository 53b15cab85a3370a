"""The task functions that a project begins with: a stub for each beat job, and a `ping`, with their unit tests."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from local_extensions.literals import call, exploded, one_line_call, python, signature, string, width

if TYPE_CHECKING:
    from collections.abc import Iterable

    from local_extensions.arguments import Argument
    from local_extensions.schedules import Schedule


@dataclass(frozen=True)
class Task:
    """A task function as its module has it, and its unit test. All code is as `ruff format` leaves it.

    Attributes:
        function: its name.
        decorator: what stands above it.
        signature: from `def` to the colon.
        doc: the inside of its docstring.
        body: what it does.
        test_name: of its test, without `test_`.
        test_body: what its test does, where the module is imported by its name.
        imports: lines that its module needs on top, beyond `shared_task`.
    """

    function: str
    decorator: str
    signature: str
    doc: str
    body: str
    test_name: str
    test_body: str
    imports: frozenset[str] = frozenset()


@dataclass(frozen=True)
class BeatJob:
    """A beat job.

    Attributes:
        name: as it was written.
        function: the name of its task's function.
        queue: the name of the queue that it runs on.
        module: the module of that queue's tasks.
        task: the name that Celery knows the task by.
        schedule: when it runs.
        arguments: what beat sends with it.
        text: the job in the language of the question `beat_jobs`.
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
        """The key of its entry in the schedule: a sentence."""
        return f"{self.name}, {self.schedule.words}"

    @property
    def expires(self) -> int | float:
        """Seconds after which a run that no worker took is dropped."""
        return self.schedule.expires

    @property
    def signature(self) -> str:
        """The line or lines from `def` to the colon of the task's function."""
        keywords = [f"{item.name}: {item.annotation}" for item in self.arguments if item.keyword]
        parameters = [f"{item.name}: {item.annotation}" for item in self.arguments if not item.keyword]
        return signature(self.function, [*parameters, *(["*", *keywords] if keywords else [])])

    @property
    def args(self) -> str:
        """The positional arguments as a list, for its entry in the schedule."""
        return python([item.value for item in self.arguments if not item.keyword], indent=8, used=17)

    @property
    def kwargs(self) -> str:
        """The arguments by name as a dict, for its entry in the schedule."""
        return python({item.name: item.value for item in self.arguments if item.keyword}, indent=8, used=19)

    @property
    def call(self) -> str:
        """The call of the function with the job's arguments, as a statement indented by 4."""
        return call(self.function, self._pairs, indent=4, used=4)

    @property
    def one_line_call(self) -> str:
        """The same on one line, however long, for a text."""
        return one_line_call(self.function, self._pairs)

    @property
    def _pairs(self) -> list[tuple[str, Any]]:
        return [(item.name if item.keyword else "", item.value) for item in self.arguments]

    @property
    def entry(self) -> tuple[tuple[str, str], ...]:
        """Its entry in the schedule: pairs of a key and the code of its value."""
        pairs = [("task", string(self.task)), ("schedule", self.schedule.code)]
        if any(not item.keyword for item in self.arguments):
            pairs.append(("args", self.args))
        if any(item.keyword for item in self.arguments):
            pairs.append(("kwargs", self.kwargs))
        options = {"queue": self.queue, "expires": self.expires}
        return (*pairs, ("options", python(options, indent=8, used=20)))

    @cached_property
    def stub(self) -> Task:
        """The task function for somebody to complete."""
        # The arguments go into one field of the log line, so that none can collide with a field of structlog's.
        line = f'log.info("{self.function} is still a stub"'
        names = [item.name for item in self.arguments]
        arguments = "{" + ", ".join(f'"{name}": {name}' for name in names) + "}"
        body = f"{line}, arguments={arguments})" if names else f"{line})"
        if width(body) + 4 > 120:
            inside = exploded("{", [f'"{name}": {name}' for name in names], "}", 8)
            body = exploded("log.info(", [line.removeprefix("log.info("), f"arguments={inside}"], ")", 4)
        imports = {"import structlog"}
        if any("Any" in item.annotation for item in self.arguments):
            imports.add("from typing import Any")
        return Task(
            function=self.function,
            decorator="@shared_task",
            signature=self.signature,
            doc=f"Beat runs this {self.schedule.words}; what it does is yours to write.",
            body=body,
            test_name=self.function,
            test_body=call(f"{self.module}.{self.function}", self._pairs, indent=4, used=4),
            imports=frozenset(imports),
        )


def ping(module: str, *, results: bool) -> Task:
    """The task that shows that a queue's worker runs tasks."""
    return Task(
        function="ping",
        decorator="@shared_task(ignore_result=False)" if results else "@shared_task",
        signature='def ping(text: str = "pong") -> str:',
        doc="Return the text: any queue's worker can show with it that it runs tasks.",
        body="return text",
        test_name="ping",
        test_body=f'assert {module}.ping("hello") == "hello"',
    )


def preamble(tasks: Iterable[Task]) -> tuple[str, ...]:
    """The lines between a task module's docstring and its first task; none for a module without tasks."""
    tasks = tuple(tasks)
    wanted = frozenset[str]().union(*(task.imports for task in tasks))
    lines = ["", "from typing import Any"] if "from typing import Any" in wanted else []
    logging = "import structlog" in wanted
    if tasks:
        lines += ["", *(["import structlog"] if logging else []), "from celery import shared_task"]
    if logging:
        lines += ["", "log = structlog.get_logger(__name__)"]
    return tuple(lines)
