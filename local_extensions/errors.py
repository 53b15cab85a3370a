"""Mistakes in the answers: collected over all questions, and shown one a line."""

from __future__ import annotations

EXAMPLES = {
    "project_name": "Background Jobs",
    "project_slug": "background_jobs",
    "description": "Background tasks and periodic jobs with Celery.",
    "author_name": "Your Team",
    "author_email": "team@example.com",
    "queues": "emails:8, reports:2",
    "beat_jobs": "cleanup = 0 3 * * * -> low_priority; purge(30, dry_run=False) = @daily; poll = every 10m",
    "timezone": "Europe/Paris",
    "task_time_limit": "300",
}
"""A valid answer to each question that is not a choice."""

LONGEST_PIECE = 60
"""Characters of a piece of an answer that an error shows."""


class Refused(Exception):  # noqa: N818
    """The answers make no project. `lines` holds one line for each mistake."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class Mistakes:
    """What is wrong with the answers, so far."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}  # a set that keeps the order

    def add(self, question: str, piece: str, why: str, example: str = "") -> None:
        """Note that `piece`, in the answer to `question`, is wrong: `why` completes the sentence "'piece' ..."."""
        self._lines[f"{question}: {shown(piece)} {why}. Write for example: {example or EXAMPLES[question]}"] = None

    def refuse(self) -> None:
        """Do nothing if there are no mistakes.

        Raises:
            Refused: there are.
        """
        if self._lines:
            raise Refused(tuple(self._lines))


def shown(piece: str) -> str:
    """A piece of an answer, in quotes, on one line and not too long, for an error."""
    cut = piece if len(piece) <= LONGEST_PIECE else piece[: LONGEST_PIECE - 1] + "…"
    # What does not print (line breaks, controls, text direction, half characters) is written as an escape.
    return "'" + "".join(c if c.isprintable() else repr(c)[1:-1] for c in cut) + "'"
