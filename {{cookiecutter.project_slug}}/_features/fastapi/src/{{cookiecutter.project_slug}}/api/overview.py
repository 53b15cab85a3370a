"""The task types, the queues and the periodic tasks of the project."""

from fastapi import APIRouter, Depends

{% if plan().features.periodic_tasks %}
from {{ cookiecutter.project_slug }} import periodic_tasks, readiness, submissions
{% elif not plan().features.periodic_tasks %}
from {{ cookiecutter.project_slug }} import readiness, submissions
{% endif %}
from {{ cookiecutter.project_slug }}.api.problems import error_responses
from {{ cookiecutter.project_slug }}.api.security import require_key

router = APIRouter(tags=["overview"], dependencies=[Depends(require_key)])


@router.get("/task-types", summary="List the task types", responses=error_responses(401))
def task_types() -> list[submissions.TaskType]:
    """Return the tasks that can be submitted, each with the JSON schema of its arguments."""
    return submissions.list_task_types()


@router.get("/queues", summary="List the queues", responses=error_responses(401, 503))
def queues() -> list[readiness.Queue]:
    """Return the queues, each with its length and its workers."""
    return readiness.list_queues()
{% if plan().features.periodic_tasks %}


@router.get("/schedule", summary="List the periodic tasks", responses=error_responses(401{{ ", 503" if plan().features.control }}))
def schedule() -> list[periodic_tasks.PeriodicTask]:
    """Return the periodic tasks, each with its schedule and its next run."""
{% if plan().features.control %}
    return submissions.call_with_deadline(periodic_tasks.list_periodic_tasks)
{% else %}
    return periodic_tasks.list_periodic_tasks()
{% endif %}
{% endif %}
