"""What there is: the tasks that may be submitted, and the queues."""

from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from {{ cookiecutter.project_slug }} import readiness, submissions
from {{ cookiecutter.project_slug }}.api.problems import documented
from {{ cookiecutter.project_slug }}.api.security import require_key
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queues import QueueName

router = APIRouter(tags=["overview"], dependencies=[Depends(require_key)])


class SubmittableTask(BaseModel):
    """A task that may be submitted."""

    name: str = Field(description="What to submit it by.")
    description: str = Field(description="What it does.")
    queue: str = Field(description="The queue that it waits in.")
    arguments: dict[str, Any] = Field(description="A JSON schema of its arguments.")


class Queue(BaseModel):
    """A queue."""

    name: str = Field(description="Its name on the broker.")
    waiting: int = Field(description="Tasks that no worker has taken yet.")
    workers: list[str] = Field(description="The workers that take from it.")


@router.get("/tasks", summary="List the tasks that may be submitted", responses=documented(401))
def list_tasks() -> list[SubmittableTask]:
    """The tasks that may be submitted, with what they take."""
    return [
        SubmittableTask(
            name=name,
            description=(app.tasks[name].__doc__ or "").strip().partition("\n")[0],
            queue=app.amqp.router.route({}, name)["queue"].name,
            arguments=model.model_json_schema(),
        )
        for name, model in submissions.submittable().items()
    ]


@router.get("/queues", summary="List the queues", responses=documented(401, 503))
def list_queues() -> list[Queue]:
    """The queues, with what waits in them and who works on them."""
    waiting = submissions.promptly(readiness.waiting)
    workers = readiness.check().workers
    return [Queue(name=name, waiting=waiting[name], workers=workers.get(name, [])) for name in QueueName]
