"""The language of the question `queues`: `name[:concurrency][@pool]`, separated by commas."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from local_extensions.catalogue import POOLS
from local_extensions.errors import shown
from local_extensions.names import identifier, queue_problem

if TYPE_CHECKING:
    from local_extensions.errors import Mistakes

MOST_QUEUES = 500
MOST_PROCESSES = 1000
POOLS_BY_NAME = {pool.name: pool for pool in POOLS}


@dataclass(frozen=True)
class QueueAnswer:
    """A queue as it was asked for.

    Attributes:
        name: the name on the broker.
        module: the name of its module in `tasks/`.
        concurrency: how many tasks its worker runs at a time, or "auto": one for each processor.
        pool: how it runs them.
    """

    name: str
    module: str
    concurrency: str
    pool: str

    @property
    def text(self) -> str:
        """The queue in the language that it was read from."""
        return f"{self.name}:{self.concurrency}@{self.pool}"


def last_queue(text: str) -> str:
    """A Jinja filter: the name of the last queue of an answer, right or wrong, for the jobs that we propose."""
    return re.split(r"[:@]", text.rpartition(",")[2])[0].strip()


def parse_queues(text: str, mistakes: Mistakes) -> dict[str, QueueAnswer]:
    """The queues by their module, in order. Those with mistakes are among them, so that jobs may name them."""
    queues: dict[str, QueueAnswer] = {}
    if not text.strip():
        mistakes.add("queues", text, "is empty, and a project needs a queue")
        return queues
    pieces = [piece.strip() for piece in text.split(",")]
    if len(pieces) > MOST_QUEUES:
        mistakes.add("queues", text, f"has {len(pieces)} queues, and {MOST_QUEUES} are the most")
    for piece in pieces[:MOST_QUEUES]:
        if not piece:
            mistakes.add("queues", text, "has an empty piece between, before or after commas")
            continue
        queue = _parse_queue(piece, mistakes)
        if first := queues.get(queue.module):
            mistakes.add("queues", piece, _twice(queue.name, first.name))
        queues.setdefault(queue.module, queue)
    return queues


def _twice(name: str, first: str) -> str:
    return "is there twice" if name == first else f"is there twice: '-' and '_' are one, so it is {shown(first)} again"


def _parse_queue(piece: str, mistakes: Mistakes) -> QueueAnswer:
    head, at, pool_name = (part.strip() for part in piece.partition("@"))
    name, colon, concurrency = (part.strip() for part in head.partition(":"))
    if problem := queue_problem(name):
        mistakes.add("queues", piece, problem)
    pool = POOLS_BY_NAME.get(pool_name) if at else POOLS[0]
    if pool is None:
        mistakes.add("queues", piece, f"has no known pool after '@': it is one of {', '.join(POOLS_BY_NAME)}")
        pool = POOLS[0]
    number = concurrency.lstrip("0")
    if not colon:
        concurrency = pool.concurrency
    elif re.fullmatch(r"[0-9]{1,4}", number) and int(number) <= MOST_PROCESSES:
        concurrency = number
    elif concurrency != "auto":
        mistakes.add("queues", piece, f"has no concurrency from 1 to {MOST_PROCESSES}, or auto, after ':'")
    return QueueAnswer(name, identifier(name), concurrency, pool.name)
