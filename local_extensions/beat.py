"""The parser for `beat_jobs`: `name[(arguments)] = schedule [-> queue]`, separated by `;` or line breaks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local_extensions.arguments import Argument, ArgumentError, parse_arguments
from local_extensions.cron import ScheduleError
from local_extensions.errors import quote_piece
from local_extensions.names import find_job_name_problem, to_identifier
from local_extensions.python_code import format_one_line_call
from local_extensions.schedules import Schedule, parse_schedule

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from local_extensions.errors import AnswerErrors
    from local_extensions.queues import QueueAnswer

MAX_JOBS = 5000
MAX_JOB_LENGTH = 2000
"""Characters of one job."""

MISSING_SCHEDULE = "has no schedule; write name = schedule"
UNCLOSED_ARGUMENTS = "has an unclosed bracket or quote in its arguments, or no '=' after them"

SEPARATOR = re.compile(r"[;\r\n]")
BEFORE_SCHEDULE = re.compile(r"[;\r\n=(]")
IN_ARGUMENTS = re.compile(r"""["'()\[\]{}]""")
STRING = re.compile(r""""(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'""")


@dataclass(frozen=True)
class JobAnswer:
    """A parsed beat job.

    Attributes:
        name: The name as written.
        function: The name of the task function.
        arguments: The arguments that beat sends.
        schedule: The schedule.
        queue: The queue of the task.
    """

    name: str
    function: str
    arguments: tuple[Argument, ...]
    schedule: Schedule
    queue: QueueAnswer

    @property
    def text(self) -> str:
        """Return the job in the syntax of `beat_jobs`."""
        arguments = [(item.name if item.keyword else "", item.value) for item in self.arguments]
        head = format_one_line_call(self.name, arguments) if arguments else self.name
        return f"{head} = {self.schedule.text} -> {self.queue.name}"


@dataclass(frozen=True)
class JobText:
    """The source text of one job and its parts. A missing part is None."""

    text: str
    name: str
    arguments: str | None
    schedule: str | None


def parse_jobs(text: str, queues: Mapping[str, QueueAnswer], errors: AnswerErrors) -> tuple[JobAnswer, ...]:
    """Parse the answer to `beat_jobs`. A job without a queue gets the first of `queues`.

    "none" has no jobs. At the prompt, an empty answer is the default.
    """
    jobs: dict[str, JobAnswer | None] = {}
    text = "" if text == "none" else text
    for count, piece in enumerate(split_jobs(text)):
        if count == MAX_JOBS:
            errors.add("beat_jobs", piece.text, f"exceeds the maximum of {MAX_JOBS} jobs")
            break
        function = to_identifier(piece.name)
        if function in jobs:
            errors.add("beat_jobs", piece.text, "has a duplicate name ('-' and '_' are equivalent)")
        jobs[function] = _parse_job(piece, queues, errors)
    return tuple(job for job in jobs.values() if job)


def _parse_job(piece: JobText, queues: Mapping[str, QueueAnswer], errors: AnswerErrors) -> JobAnswer | None:
    """Return the job, or None if it is invalid. Each error that can be detected is added to `errors`."""
    problems = [problem] if (problem := find_job_name_problem(piece.name)) else []
    arguments: tuple[Argument, ...] = ()
    schedule = queue = None
    if piece.schedule is None:
        problems.append(MISSING_SCHEDULE if piece.arguments is None else UNCLOSED_ARGUMENTS)
    elif len(piece.text) > MAX_JOB_LENGTH:
        problems.append(f"has {len(piece.text)} characters; the maximum is {MAX_JOB_LENGTH}")
    else:
        schedule_text, arrow, queue_name = piece.schedule.partition("->")
        try:
            arguments = parse_arguments(piece.arguments) if piece.arguments else ()
        except ArgumentError as error:
            problems.append(str(error))
        try:
            schedule = parse_schedule(schedule_text)
        except ScheduleError as error:
            problems.append(str(error))
        queue = queues.get(to_identifier(queue_name.strip())) if arrow else next(iter(queues.values()), None)
        if queue is None and queues:
            problems.append(f"has an unknown queue after '->' (choose from {_format_queue_names(queues)})")
    for problem in problems:
        errors.add("beat_jobs", piece.text, problem)
    if problems or schedule is None or queue is None:
        return None
    return JobAnswer(piece.name, to_identifier(piece.name), arguments, schedule, queue)


def _format_queue_names(queues: Mapping[str, QueueAnswer]) -> str:
    names = [quote_piece(queue.name) for queue in queues.values()]
    return ", ".join(names if len(names) <= 5 else [*names[:5], "…"])


def split_jobs(text: str) -> Iterator[JobText]:
    """Split an answer into jobs. Empty items, for example after a trailing `;`, are skipped."""
    start = 0
    while start < len(text):
        bracket, equals, end = _find_delimiters(text, start)
        head = end if equals is None else equals
        piece = JobText(
            text[start:end].strip(),
            text[start : head if bracket is None else bracket].strip(),
            None if bracket is None else text[bracket:head].strip(),
            None if equals is None else text[equals + 1 : end],
        )
        if piece.text:
            yield piece
        start = end + 1


def _find_delimiters(text: str, start: int) -> tuple[int | None, int | None, int]:
    """Return the positions of the first parenthesis, of `=` and of the end of the job that begins at `start`."""
    bracket = None
    position = start
    while match := BEFORE_SCHEDULE.search(text, position):
        if match[0] == "(":
            bracket = match.start() if bracket is None else bracket
            position = _find_closing_bracket(text, match.end())
        elif match[0] == "=":
            after = SEPARATOR.search(text, match.end())
            return bracket, match.start(), after.start() if after else len(text)
        else:
            return bracket, None, match.start()
    return bracket, None, len(text)


def _find_closing_bracket(text: str, position: int) -> int:
    """Return the position after the closing bracket, or the end of the text if a bracket or a string is not closed."""
    depth = 1
    while depth and (match := IN_ARGUMENTS.search(text, position)):
        position = match.end()
        if match[0] in "\"'":
            string = STRING.match(text, match.start())
            position = string.end() if string else len(text)
        else:
            depth += 1 if match[0] in "([{" else -1
    return len(text) if depth else position
