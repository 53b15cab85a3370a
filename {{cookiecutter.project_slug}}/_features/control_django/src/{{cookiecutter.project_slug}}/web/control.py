"""Endpoints that pause and resume queues{{ " and periodic tasks, and run a periodic task now" if plan().features.beat }}."""

from ninja import Router

from {{ cookiecutter.project_slug }}.control import actions
{% if plan().features.beat %}
from {{ cookiecutter.project_slug }}.submissions import Submitted, call_with_deadline
{% endif %}
from {{ cookiecutter.project_slug }}.web.security import ApiRequest, require_permission

router = Router(tags=["overview"])


@router.post("/queues/{name}/pause", response={204: None}, summary="Pause a queue")
def pause_queue(request: ApiRequest, name: str) -> None:
    """Stop the consumption of a queue by all workers. Its tasks wait on the broker."""
    require_permission(request, "control.change_pause")
    actions.pause_queue(name, request.auth.get_username())


@router.post("/queues/{name}/resume", response={204: None}, summary="Resume a queue")
def resume_queue(request: ApiRequest, name: str) -> None:
    """Resume the consumption of a queue."""
    require_permission(request, "control.change_pause")
    actions.resume_queue(name, request.auth.get_username())
{% if plan().features.beat %}


@router.post("/schedule/{name}/pause", response={204: None}, summary="Pause a periodic task")
def pause_periodic_task(request: ApiRequest, name: str) -> None:
    """Stop the runs of a periodic task. Runs that are due during the pause are not sent later."""
    require_permission(request, "control.change_pause")
    actions.pause_periodic_task(name, request.auth.get_username())


@router.post("/schedule/{name}/resume", response={204: None}, summary="Resume a periodic task")
def resume_periodic_task(request: ApiRequest, name: str) -> None:
    """Resume the runs of a periodic task."""
    require_permission(request, "control.change_pause")
    actions.resume_periodic_task(name, request.auth.get_username())


@router.post("/schedule/{name}/run", response={202: Submitted}, summary="Run a periodic task now")
def run_periodic_task(request: ApiRequest, name: str) -> Submitted:
    """Publish a periodic task as beat does, also while it is paused."""
    require_permission(request, "control.run_periodic_task")
    entry, user = actions.find_entry(name), request.auth.get_username()
    return Submitted.model_validate({"id": call_with_deadline(lambda: actions.run_now(entry, user))})
{% endif %}
