"""The task types, the queues and the periodic tasks of the project."""

from ninja import Router

{% if plan().features.periodic_tasks %}
from {{ cookiecutter.project_slug }} import periodic_tasks, readiness, submissions
{% elif not plan().features.periodic_tasks %}
from {{ cookiecutter.project_slug }} import readiness, submissions
{% endif %}
from {{ cookiecutter.project_slug }}.web.security import ApiRequest, require_permission

router = Router(tags=["overview"])


@router.get("/task-types", response=list[submissions.TaskType], summary="List the task types")
def task_types(request: ApiRequest) -> list[submissions.TaskType]:
    """Return the tasks that can be submitted, each with the JSON schema of its arguments."""
    require_permission(request, "web.view_task")
    return submissions.list_task_types()


@router.get("/queues", response=list[readiness.Queue], summary="List the queues")
def queues(request: ApiRequest) -> list[readiness.Queue]:
    """Return the queues, each with its length and its workers."""
    require_permission(request, "web.view_task")
    return readiness.list_queues()
{% if plan().features.periodic_tasks %}


@router.get("/schedule", response=list[periodic_tasks.PeriodicTask], summary="List the periodic tasks")
def schedule(request: ApiRequest) -> list[periodic_tasks.PeriodicTask]:
    """Return the periodic tasks, each with its schedule and its next run."""
    require_permission(request, "web.view_task")
    return periodic_tasks.list_periodic_tasks()
{% endif %}
