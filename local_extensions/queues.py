"""The parser for `queues`: `name[:concurrency][@pool]`, separated by commas."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local_extensions.catalogue import POOLS
from local_extensions.errors import quote_piece
from local_extensions.names import find_queue_name_problem, to_identifier

if TYPE_CHECKING:
    from local_extensions.errors import AnswerErrors

MAX_QUEUES = 500
MAX_CONCURRENCY = 1000
POOLS_BY_NAME = {pool.name: pool for pool in POOLS}


@dataclass(frozen=True)
class QueueAnswer:
    """A parsed queue.

    Attributes:
        name: The name on the broker.
        module: The name of the module in `tasks/`.
        concurrency: The worker's concurrency: a number, or "auto" for the number of CPUs.
        pool: The name of the worker's pool.
    """

    name: str
    module: str
    concurrency: str
    pool: str

    @property
    def text(self) -> str:
        """Return the queue in the syntax of `queues`."""
        return f"{self.name}:{self.concurrency}@{self.pool}"


def last_queue(text: str) -> str:
    """Return the name of the last queue of an unvalidated answer. The default of `beat_jobs` uses this Jinja filter."""
    return re.split(r"[:@]", text.rpartition(",")[2])[0].strip()


def parse_queues(text: str, errors: AnswerErrors) -> dict[str, QueueAnswer]:
    """Parse the answer to `queues` into queues by module name.

    Invalid queues are included: a job that refers to one is not a second error.
    """
    queues: dict[str, QueueAnswer] = {}
    if not text.strip():
        errors.add("queues", text, "is empty; define at least one queue")
        return queues
    pieces = [piece.strip() for piece in text.split(",")]
    if len(pieces) > MAX_QUEUES:
        errors.add("queues", text, f"has {len(pieces)} queues; the maximum is {MAX_QUEUES}")
    for piece in pieces[:MAX_QUEUES]:
        if not piece:
            errors.add("queues", text, "has an empty item; remove the extra comma")
            continue
        queue = _parse_queue(piece, errors)
        if first := queues.get(queue.module):
            errors.add("queues", piece, _describe_duplicate(queue.name, first.name))
        queues.setdefault(queue.module, queue)
    return queues


def _describe_duplicate(name: str, first: str) -> str:
    if name == first:
        return "is defined twice"
    return f"is defined twice: '-' and '_' are equivalent, and {quote_piece(first)} is already defined"


def _parse_queue(piece: str, errors: AnswerErrors) -> QueueAnswer:
    head, at, pool_name = (part.strip() for part in piece.partition("@"))
    name, colon, concurrency = (part.strip() for part in head.partition(":"))
    if problem := find_queue_name_problem(name):
        errors.add("queues", piece, problem)
    pool = POOLS_BY_NAME.get(pool_name) if at else POOLS[0]
    if pool is None:
        errors.add("queues", piece, f"has an unknown pool after '@' (choose from {', '.join(POOLS_BY_NAME)})")
        pool = POOLS[0]
    number = concurrency.lstrip("0")
    if not colon:
        concurrency = pool.concurrency
    elif re.fullmatch(r"[0-9]{1,4}", number) and int(number) <= MAX_CONCURRENCY:
        concurrency = number
    elif concurrency != "auto":
        errors.add("queues", piece, f"has an invalid concurrency after ':' (1 to {MAX_CONCURRENCY}, or auto)")
    return QueueAnswer(name, to_identifier(name), concurrency, pool.name)
