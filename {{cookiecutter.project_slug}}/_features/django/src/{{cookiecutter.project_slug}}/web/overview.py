"""What the project runs: the tasks that can be submitted, the queues, the schedule."""

from ninja import Router

{% if plan().features.http_schedule %}
from {{ cookiecutter.project_slug }} import periodic_tasks, readiness, submissions
{% elif not plan().features.http_schedule %}
from {{ cookiecutter.project_slug }} import readiness, submissions
{% endif %}
from {{ cookiecutter.project_slug }}.web.security import ApiRequest, require

router = Router(tags=["overview"])


@router.get("/task-types", response=list[submissions.TaskType], summary="List the tasks that can be submitted")
def task_types(request: ApiRequest) -> list[submissions.TaskType]:
    """Return each task with the schema of its arguments."""
    require(request, "web.view_task")
    return submissions.task_types()


@router.get("/queues", response=list[readiness.Queue], summary="List the queues")
def queues(request: ApiRequest) -> list[readiness.Queue]:
    """Return the queues with their length and their workers."""
    require(request, "web.view_task")
    return readiness.queues()
{% if plan().features.http_schedule %}


@router.get("/schedule", response=list[periodic_tasks.PeriodicTask], summary="List the periodic tasks")
def schedule(request: ApiRequest) -> list[periodic_tasks.PeriodicTask]:
    """Return the entries of the schedule."""
    require(request, "web.view_task")
    return periodic_tasks.periodic_tasks()
{% endif %}
