"""Dead letters by HTTP: the models, the time limit, and the log lines with the acting client or user."""

import json
import time
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import structlog
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from {{ cookiecutter.project_slug }} import dead_letter_store as store
from {{ cookiecutter.project_slug }}.commands import iso_time
from {{ cookiecutter.project_slug }}.dead_letters import DeadLetterFilter, UnknownIdError, select
from {{ cookiecutter.project_slug }}.readiness import read_lengths
from {{ cookiecutter.project_slug }}.submissions import RefusedError, call_with_deadline

DEADLINE = 25.0
"""The time limit of a request, in seconds: each request reads all dead letters from the broker."""

MAX_PAGE_SIZE = 200
"""The maximum number of dead letters on a page."""

MAX_SELECTED = 500
"""The maximum number of dead letters that a request replays or discards, so that it ends in time."""

IDS_PER_LOG_LINE = 100
"""The maximum number of ids in a log line. Some log drivers split long lines."""

Id = Annotated[str, Field(min_length=1, max_length=200)]
Result = TypeVar("Result")

log = structlog.get_logger(__name__)

# One thread: while a request reads dead letters from RabbitMQ or SQS, another request does not receive them.
_executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="dead-letters")


class DeadLetterSummary(BaseModel):
    """A dead letter without its arguments and its traceback."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(description="The id of the task.")
    task: str = Field(description="The name of the task.")
    queue: str = Field(description="The queue of the task.")
    reason: str = Field(description="The exception, or why the broker stored the dead letter.")
    at: Annotated[datetime | None, BeforeValidator(lambda at: iso_time(at) if at else None)] = Field(
        description="The time of the failure."
    )
    attempts: int | None = Field(None, description="The number of runs, with retries; null if it is unknown.")


class DeadLetter(DeadLetterSummary):
    """A task that failed permanently, or that no worker could run."""

    args: Any = Field(description="The positional arguments.")
    kwargs: Any = Field(description="The keyword arguments.")
    traceback: str | None = Field(None, description="The end of the traceback; null or empty if it is unknown.")


class DeadLetterPage(BaseModel):
    """A page of dead letters, the oldest first."""

    total: int = Field(description="The number of dead letters that match, on all pages.")
    items: list[DeadLetterSummary] = Field(description="The dead letters of this page.")


class DeadLetterQuery(DeadLetterFilter):
    """The query parameters of a page."""

    limit: int = Field(50, ge=1, le=MAX_PAGE_SIZE, description="The maximum number of dead letters on the page.")
    offset: int = Field(0, ge=0, description="The number of dead letters before the page.")


class Ids(BaseModel):
    """Dead letters by their ids."""

    model_config = ConfigDict(extra="forbid")

    ids: list[Id] = Field(min_length=1, max_length=MAX_SELECTED, description="The ids of the dead letters.")


class Filter(BaseModel):
    """Dead letters that meet all conditions of a filter."""

    model_config = ConfigDict(extra="forbid")

    filter: Annotated[DeadLetterFilter, Field(json_schema_extra={"minProperties": 1})] = Field(
        description="The conditions, at least one."
    )

    @model_validator(mode="after")
    def require_condition(self) -> "Filter":
        """Refuse a filter without a condition, which would match all dead letters."""
        if not self.filter.model_dump(exclude_none=True):
            raise ValueError('the filter has no condition: select all dead letters with {"all": true}')
        return self


class All(BaseModel):
    """All dead letters."""

    model_config = ConfigDict(extra="forbid")

    all: Literal[True]


Selection = Ids | Filter | All


class Processed(BaseModel):
    """The result of a replay or of a discard."""

    number: int = Field(description="The number of dead letters that were replayed or discarded.")
    remaining: int = Field(
        description=f"The number of dead letters that also match: a request processes the oldest {MAX_SELECTED}."
    )


def read_dead_letters(selection: Collection[str] | DeadLetterFilter) -> list[DeadLetter]:
    """Return the selected dead letters, the oldest first.

    Raises:
        RefusedError: An id is unknown (404).
        UnavailableError: The broker is unavailable, or has too many dead letters for one request.
    """
    return _call(lambda: [parse_dead_letter(letter) for letter in _select(selection)])


def read_dead_letter(dead_letter_id: str) -> DeadLetter:
    """Return the dead letter with this id.

    Raises:
        RefusedError, UnavailableError: See `read_dead_letters`.
    """
    return read_dead_letters([dead_letter_id])[0]


def list_page(query: DeadLetterQuery) -> DeadLetterPage:
    """Return a page of the dead letters that match.

    Raises:
        UnavailableError: See `read_dead_letters`.
    """
    found = _call(lambda: _select(query))
    page = found[query.offset : query.offset + query.limit]
    return DeadLetterPage(total=len(found), items=[parse_dead_letter(letter) for letter in page])


def replay(selection: Selection, actor: str) -> Processed:
    """Publish the selected tasks to their queues again.

    Args:
        selection: The dead letters.
        actor: The client or user, for the log.

    Raises:
        RefusedError, UnavailableError: See `read_dead_letters`. After a timeout, the replay continues.
    """
    return _call(lambda: _process("dead letters replayed", store.replay, selection, actor))


def discard(selection: Selection, actor: str) -> Processed:
    """Delete the selected dead letters.

    Args:
        selection: The dead letters.
        actor: The client or user, for the log.

    Raises:
        RefusedError, UnavailableError: See `read_dead_letters`. After a timeout, the deletion continues.
    """
    return _call(lambda: _process("dead letters discarded", store.discard, selection, actor))


def parse_dead_letter(letter: dict[str, Any]) -> DeadLetter:
    """Return the model of a dead letter. Values that JSON does not have become strings."""
    fields = {name: letter[name] for name in DeadLetter.model_fields if name in letter}
    # A lone surrogate cannot be encoded as UTF-8.
    text = json.dumps(fields, default=str, ensure_ascii=False).encode("utf-8", "replace")
    return DeadLetter.model_validate(json.loads(text))


def _select(selection: Collection[str] | DeadLetterFilter) -> list[dict[str, Any]]:
    try:
        return select(store.list_dead_letters(), selection)
    except UnknownIdError as error:
        raise RefusedError(404, f"{error}.".capitalize()[:300]) from error


def _process(event: str, process: Callable[[Collection[str]], int], selection: Selection, actor: str) -> Processed:
    """Process the oldest selected dead letters, and log their ids."""
    match selection:
        case Ids():
            found = _select(selection.ids)
        case Filter():
            found = _select(selection.filter)
        case All():
            found = _select(DeadLetterFilter())
    ids = [letter["id"] for letter in found[:MAX_SELECTED]]
    number = process(set(ids)) if ids else 0
    for start in range(0, len(ids), IDS_PER_LOG_LINE):
        log.info(event, actor=actor, number=number, ids=ids[start : start + IDS_PER_LOG_LINE])
    return Processed(number=number, remaining=max(0, len(found) - number))


def _call(call: Callable[[], Result]) -> Result:
    """Call the store, if the broker responds within the shorter time limit of the other requests."""
    call_with_deadline(read_lengths)
    return call_with_deadline(call, time.monotonic() + DEADLINE, _executor)
