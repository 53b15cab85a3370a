"""What the project runs: the tasks that can be submitted, the queues, the schedule."""

from fastapi import APIRouter, Depends

{% if plan().features.http_schedule %}
from {{ cookiecutter.project_slug }} import periodic_tasks, readiness, submissions
{% elif not plan().features.http_schedule %}
from {{ cookiecutter.project_slug }} import readiness, submissions
{% endif %}
from {{ cookiecutter.project_slug }}.api.problems import documented
from {{ cookiecutter.project_slug }}.api.security import require_key

router = APIRouter(tags=["overview"], dependencies=[Depends(require_key)])


@router.get("/task-types", summary="List the tasks that can be submitted", responses=documented(401))
def task_types() -> list[submissions.TaskType]:
    """Return each task with the schema of its arguments."""
    return submissions.task_types()


@router.get("/queues", summary="List the queues", responses=documented(401, 503))
def queues() -> list[readiness.Queue]:
    """Return the queues with their length and their workers."""
    return readiness.queues()
{% if plan().features.http_schedule %}


@router.get("/schedule", summary="List the periodic tasks", responses=documented(401))
def schedule() -> list[periodic_tasks.PeriodicTask]:
    """Return the entries of the schedule."""
    return periodic_tasks.periodic_tasks()
{% endif %}
