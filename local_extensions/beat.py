"""The language of the question `beat_jobs`: `name[(arguments)] = schedule [-> queue]`, separated by `;` or lines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local_extensions.arguments import Argument, ArgumentError, parse_arguments
from local_extensions.cron import CronError
from local_extensions.errors import shown
from local_extensions.names import identifier, job_problem
from local_extensions.python_code import one_line_call
from local_extensions.schedules import Schedule, parse_schedule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local_extensions.errors import Mistakes
    from local_extensions.queues import QueueAnswer

MOST_JOBS = 5000
LONGEST_JOB = 2000
"""Characters."""

NO_SCHEDULE = "has no '=' and schedule after its name"
NO_END = "has no '=' after its arguments, or in them a bracket or a quote that is not closed"

SEPARATOR = re.compile(r"[;\r\n]")
BEFORE_SCHEDULE = re.compile(r"[;\r\n=(]")
IN_ARGUMENTS = re.compile(r"""["'()\[\]{}]""")
STRING = re.compile(r""""(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'""")


@dataclass(frozen=True)
class JobAnswer:
    """A beat job as it was asked for.

    Attributes:
        name: as it was written.
        function: the name of its task.
        arguments: what beat sends.
        schedule: when.
        queue: where it runs.
    """

    name: str
    function: str
    arguments: tuple[Argument, ...]
    schedule: Schedule
    queue: QueueAnswer

    @property
    def text(self) -> str:
        """The job in the language that it was read from."""
        arguments = [(item.name if item.keyword else "", item.value) for item in self.arguments]
        head = one_line_call(self.name, arguments) if arguments else self.name
        return f"{head} = {self.schedule.text} -> {self.queue.name}"


@dataclass(frozen=True)
class Piece:
    """The text of one job, and its parts; a part that is not there is None."""

    text: str
    name: str
    arguments: str | None
    schedule: str | None


def parse_jobs(text: str, queues: Mapping[str, QueueAnswer], mistakes: Mistakes) -> tuple[JobAnswer, ...]:
    """The jobs, in order. Each runs on the queue that it names, else on the first of `queues`."""
    jobs: dict[str, JobAnswer | None] = {}
    for count, piece in enumerate(pieces(text)):
        if count == MOST_JOBS:
            mistakes.add("beat_jobs", piece.text, f"is one too many: {MOST_JOBS} jobs are the most")
            break
        function = identifier(piece.name)
        if function in jobs:
            mistakes.add("beat_jobs", piece.text, "has a name that is there twice ('-' and '_' are one)")
        jobs[function] = _parse_job(piece, queues, mistakes)
    return tuple(job for job in jobs.values() if job)


def _parse_job(piece: Piece, queues: Mapping[str, QueueAnswer], mistakes: Mistakes) -> JobAnswer | None:
    """The job of a piece, or None if it has a mistake; as many of its mistakes as can be told are noted."""
    problems = [problem] if (problem := job_problem(piece.name)) else []
    arguments: tuple[Argument, ...] = ()
    schedule = queue = None
    if piece.schedule is None:
        problems.append(NO_SCHEDULE if piece.arguments is None else NO_END)
    elif len(piece.text) > LONGEST_JOB:
        problems.append(f"is longer than {LONGEST_JOB} characters")
    else:
        when, arrow, where = piece.schedule.partition("->")
        try:
            arguments = parse_arguments(piece.arguments) if piece.arguments else ()
        except ArgumentError as error:
            problems.append(str(error))
        try:
            schedule = parse_schedule(when)
        except CronError as error:
            problems.append(str(error))
        queue = queues.get(identifier(where.strip())) if arrow else next(iter(queues.values()), None)
        if queue is None and queues:
            problems.append(f"names a queue after '->' that is not among the queues ({_some(queues)})")
    for problem in problems:
        mistakes.add("beat_jobs", piece.text, problem)
    if problems or schedule is None or queue is None:
        return None
    return JobAnswer(piece.name, identifier(piece.name), arguments, schedule, queue)


def _some(queues: Mapping[str, QueueAnswer]) -> str:
    names = [shown(queue.name) for queue in queues.values()]
    return ", ".join(names if len(names) <= 5 else [*names[:5], "…"])


def pieces(text: str) -> Iterator[Piece]:
    """The parts of each job of an answer. Empty jobs, as after a last `;` or on a blank line, are passed over."""
    start = 0
    while start < len(text):
        bracket, equals, end = _scan(text, start)
        head = end if equals is None else equals
        piece = Piece(
            text[start:end].strip(),
            text[start : head if bracket is None else bracket].strip(),
            None if bracket is None else text[bracket:head].strip(),
            None if equals is None else text[equals + 1 : end],
        )
        if piece.text:
            yield piece
        start = end + 1


def _scan(text: str, start: int) -> tuple[int | None, int | None, int]:
    """Where the job that begins at `start` has its first bracket and its `=`, None if it has none, and its end."""
    bracket = None
    position = start
    while match := BEFORE_SCHEDULE.search(text, position):
        if match[0] == "(":
            bracket = match.start() if bracket is None else bracket
            position = _closed(text, match.end())
        elif match[0] == "=":
            after = SEPARATOR.search(text, match.end())
            return bracket, match.start(), after.start() if after else len(text)
        else:
            return bracket, None, match.start()
    return bracket, None, len(text)


def _closed(text: str, position: int) -> int:
    """Where the bracket is closed that opens before `position`; the end of the text if it, or a string, is not."""
    depth = 1
    while depth and (match := IN_ARGUMENTS.search(text, position)):
        position = match.end()
        if match[0] in "\"'":
            string = STRING.match(text, match.start())
            position = string.end() if string else len(text)
        else:
            depth += 1 if match[0] in "([{" else -1
    return len(text) if depth else position
