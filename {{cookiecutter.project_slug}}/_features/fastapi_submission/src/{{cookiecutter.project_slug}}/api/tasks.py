"""The endpoint that submits a task. Without a result backend, only the logs show its outcome."""

import uuid
from typing import TYPE_CHECKING

from fastapi import APIRouter, Depends

from {{ cookiecutter.project_slug }} import submissions
from {{ cookiecutter.project_slug }}.api.problems import error_responses
from {{ cookiecutter.project_slug }}.api.security import require_key

if TYPE_CHECKING:
    from {{ cookiecutter.project_slug }}.submissions import Submission
else:
    Submission = submissions.build_submission_type()

router = APIRouter(prefix="/tasks", tags=["tasks"], dependencies=[Depends(require_key)])


{% if plan().features.limits %}
@router.post("", status_code=202, summary="Submit a task", responses=error_responses(400, 401, 409, 422, 503))
{% else %}
@router.post("", status_code=202, summary="Submit a task", responses=error_responses(400, 401, 422, 503))
{% endif %}
def submit(submission: Submission) -> submissions.Submitted:
    """Publish a task to its queue. The returned id is in its log lines."""
    task_id = uuid.uuid4()
    submissions.call_with_deadline(lambda: submissions.publish(submission, str(task_id)))
    return submissions.Submitted(id=task_id)
