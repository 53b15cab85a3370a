"""Endpoints that list, show, replay and discard dead letters."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from {{ cookiecutter.project_slug }} import http_dead_letters
from {{ cookiecutter.project_slug }}.api.problems import error_responses
from {{ cookiecutter.project_slug }}.api.security import require_key
from {{ cookiecutter.project_slug }}.http_dead_letters import (
    DeadLetter,
    DeadLetterPage,
    DeadLetterQuery,
    Id,
    Processed,
    Selection,
)

router = APIRouter(prefix="/dead-letters", tags=["dead-letters"], dependencies=[Depends(require_key)])

Client = Annotated[str, Depends(require_key)]


@router.get("", summary="List dead letters", responses=error_responses(401, 422, 503))
def search(query: Annotated[DeadLetterQuery, Query()]) -> DeadLetterPage:
    """Return the dead letters that match all parameters, the oldest first."""
    return http_dead_letters.list_page(query)


@router.post("/replay", summary="Replay dead letters", responses=error_responses(400, 401, 404, 422, 503))
def replay(selection: Selection, client: Client) -> Processed:
    """Publish tasks to their queues again: with the same ids, all their retries and no expiry."""
    return http_dead_letters.replay(selection, client)


@router.post("/discard", summary="Discard dead letters", responses=error_responses(400, 401, 404, 422, 503))
def discard(selection: Selection, client: Client) -> Processed:
    """Delete dead letters. Their tasks cannot be replayed."""
    return http_dead_letters.discard(selection, client)


@router.get("/{dead_letter_id}", summary="Show a dead letter", responses=error_responses(401, 404, 422, 503))
def show(dead_letter_id: Id) -> DeadLetter:
    """Return a dead letter with its arguments, its traceback and the number of attempts."""
    return http_dead_letters.read_dead_letter(dead_letter_id)
