"""Submit a task. Without a result backend, its log lines are what is known of it."""

import uuid
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends

from {{ cookiecutter.project_slug }} import submissions
from {{ cookiecutter.project_slug }}.api.problems import documented
from {{ cookiecutter.project_slug }}.api.security import require_key

if TYPE_CHECKING:
    from {{ cookiecutter.project_slug }}.submissions import Submission
else:
    Submission = submissions.any_submission()

router = APIRouter(prefix="/tasks", tags=["tasks"], dependencies=[Depends(require_key)])


@router.post("", status_code=202, summary="Submit a task", responses=documented(400, 401, 422, 503))
def submit(submission: Submission) -> submissions.Submitted:
    """Send a task to its queue; look for its id in the logs."""
    task_id = uuid.uuid4()
    submissions.promptly(lambda: submissions.publish(submission, str(task_id)))
    return submissions.Submitted(id=task_id)
