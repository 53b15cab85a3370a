"""Errors in the answers, collected over all questions and reported one per line."""

from __future__ import annotations

EXAMPLES = {
    "project_name": "Background Jobs",
    "project_slug": "background_jobs",
    "description": "Background and periodic tasks with Celery.",
    "author_name": "Your Team",
    "author_email": "team@example.com",
    "queues": "emails:8, reports:2",
    "beat_jobs": "cleanup(days=30) = 0 3 * * *; poll = every 10m",
    "timezone": "Europe/Paris",
    "task_time_limit": "300",
    "extras": "tracing",
}
"""A valid answer to each question that takes text."""

MAX_PIECE_LENGTH = 60
"""Characters. An error message truncates a longer piece of an answer."""


class InvalidAnswersError(Exception):
    """Invalid answers. `lines` has one line for each error."""

    def __init__(self, lines: tuple[str, ...]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


class AnswerErrors:
    """The errors found in the answers."""

    def __init__(self) -> None:
        self._lines: dict[str, None] = {}  # keys only: an ordered set

    def add(self, question: str, piece: str, problem: str, example: str = "") -> None:
        """Add an error.

        Args:
            question: The name of the question.
            piece: The invalid part of the answer.
            problem: The predicate of a sentence whose subject is the piece.
            example: A valid answer. The default is the one in `EXAMPLES`.
        """
        self._lines[f"{question}: {quote_piece(piece)} {problem}. Example: {example or EXAMPLES[question]}"] = None

    def raise_if_any(self) -> None:
        """Raise an exception if there are errors.

        Raises:
            InvalidAnswersError: There is at least one error.
        """
        if self._lines:
            raise InvalidAnswersError(tuple(self._lines))


def quote_piece(piece: str) -> str:
    """Return a piece of an answer in quotes, on one line, truncated to `MAX_PIECE_LENGTH` characters."""
    cut = piece if len(piece) <= MAX_PIECE_LENGTH else piece[: MAX_PIECE_LENGTH - 1] + "…"
    # Escape unprintable characters: line breaks, control characters, text direction overrides, surrogates.
    return "'" + "".join(c if c.isprintable() else repr(c)[1:-1] for c in cut) + "'"
