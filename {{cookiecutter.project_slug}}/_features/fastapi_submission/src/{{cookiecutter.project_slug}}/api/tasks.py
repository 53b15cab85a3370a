"""Submit a task. No result backend is there to ask what became of it."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from {{ cookiecutter.project_slug }} import submissions
from {{ cookiecutter.project_slug }}.api.bodies import json_body
from {{ cookiecutter.project_slug }}.api.problems import documented
from {{ cookiecutter.project_slug }}.api.security import require_key

router = APIRouter(prefix="/tasks", tags=["tasks"], dependencies=[Depends(require_key)])


class Submitted(BaseModel):
    """A task that will run."""

    id: uuid.UUID = Field(description="Its id, to look for in the logs.")


@router.post(
    "",
    status_code=202,
    summary="Submit a task",
    response_description="The task is on its way.",
    responses=documented(400, 401, 408, 413, 415, 422, 503),
)
def submit(body: Annotated[bytes, Depends(json_body)]) -> Submitted:
    """Let a worker run a task with these arguments; `GET /tasks` says which tasks and arguments there are."""
    task_id = uuid.uuid4()
    submission = submissions.read(body)
    submissions.promptly(lambda: submissions.publish(submission, str(task_id)))
    return Submitted(id=task_id)
