"""Endpoints that list, show, replay and discard dead letters."""

from ninja import Query, Router

from {{ cookiecutter.project_slug }} import http_dead_letters
from {{ cookiecutter.project_slug }}.http_dead_letters import (
    DeadLetter,
    DeadLetterPage,
    DeadLetterQuery,
    Id,
    Processed,
    Selection,
)
from {{ cookiecutter.project_slug }}.web.security import ApiRequest, require_permission

router = Router(tags=["dead-letters"])


@router.get("", response=DeadLetterPage, summary="List dead letters")
def search(request: ApiRequest, query: Query[DeadLetterQuery]) -> DeadLetterPage:
    """Return the dead letters that match all parameters, the oldest first."""
    require_permission(request, "web.view_deadletter")
    return http_dead_letters.list_page(query)


@router.post("/replay", response=Processed, summary="Replay dead letters")
def replay(request: ApiRequest, selection: Selection) -> Processed:
    """Publish tasks to their queues again: with the same ids, all their retries and no expiry."""
    require_permission(request, "web.replay_deadletter")
    return http_dead_letters.replay(selection, request.auth.get_username())


@router.post("/discard", response=Processed, summary="Discard dead letters")
def discard(request: ApiRequest, selection: Selection) -> Processed:
    """Delete dead letters. Their tasks cannot be replayed."""
    require_permission(request, "web.discard_deadletter")
    return http_dead_letters.discard(selection, request.auth.get_username())


# The name of the URL, because `api:show` is the URL of a task.
@router.get("/{dead_letter_id}", response=DeadLetter, summary="Show a dead letter", url_name="show_dead_letter")
def show(request: ApiRequest, dead_letter_id: Id) -> DeadLetter:
    """Return a dead letter with its arguments, its traceback and the number of attempts."""
    require_permission(request, "web.view_deadletter")
    return http_dead_letters.read_dead_letter(dead_letter_id)
