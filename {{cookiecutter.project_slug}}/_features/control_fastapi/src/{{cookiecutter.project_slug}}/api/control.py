"""Endpoints that pause and resume queues{{ " and periodic tasks, and run a periodic task now" if plan().features.beat }}."""

from typing import Annotated

from fastapi import APIRouter, Depends

from {{ cookiecutter.project_slug }}.api.problems import error_responses
from {{ cookiecutter.project_slug }}.api.security import require_key
from {{ cookiecutter.project_slug }}.control import actions
{% if plan().features.beat %}
from {{ cookiecutter.project_slug }}.submissions import Submitted, call_with_deadline
{% else %}
from {{ cookiecutter.project_slug }}.submissions import call_with_deadline
{% endif %}

router = APIRouter(tags=["overview"], responses=error_responses(401, 404, 422, 503))

Client = Annotated[str, Depends(require_key)]


@router.post("/queues/{name}/pause", status_code=204, summary="Pause a queue")
def pause_queue(name: str, client: Client) -> None:
    """Stop the consumption of a queue by all workers. Its tasks wait on the broker."""
    call_with_deadline(lambda: actions.pause_queue(name, client))


@router.post("/queues/{name}/resume", status_code=204, summary="Resume a queue")
def resume_queue(name: str, client: Client) -> None:
    """Resume the consumption of a queue."""
    call_with_deadline(lambda: actions.resume_queue(name, client))
{% if plan().features.beat %}


@router.post("/schedule/{name}/pause", status_code=204, summary="Pause a periodic task")
def pause_periodic_task(name: str, client: Client) -> None:
    """Stop the runs of a periodic task. Runs that are due during the pause are not sent later."""
    call_with_deadline(lambda: actions.pause_periodic_task(name, client))


@router.post("/schedule/{name}/resume", status_code=204, summary="Resume a periodic task")
def resume_periodic_task(name: str, client: Client) -> None:
    """Resume the runs of a periodic task."""
    call_with_deadline(lambda: actions.resume_periodic_task(name, client))


@router.post("/schedule/{name}/run", status_code=202, summary="Run a periodic task now")
def run_periodic_task(name: str, client: Client) -> Submitted:
    """Publish a periodic task as beat does, also while it is paused."""
    entry = actions.find_entry(name)
    return Submitted.model_validate({"id": call_with_deadline(lambda: actions.run_now(entry, client))})
{% endif %}
