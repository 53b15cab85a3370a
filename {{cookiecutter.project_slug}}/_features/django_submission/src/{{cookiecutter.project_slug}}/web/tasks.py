"""The endpoint that submits a task. Without a result backend, only the logs show its outcome."""

import uuid
from typing import TYPE_CHECKING

from ninja import Router

from {{ cookiecutter.project_slug }} import submissions
from {{ cookiecutter.project_slug }}.web.security import ApiRequest, require_permission

if TYPE_CHECKING:
    from {{ cookiecutter.project_slug }}.submissions import Submission
else:
    Submission = submissions.build_submission_type()

router = Router(tags=["tasks"])


@router.post("", response={202: submissions.Submitted}, summary="Submit a task")
def submit(request: ApiRequest, submission: Submission) -> submissions.Submitted:
    """Publish a task to its queue. The returned id is in its log lines."""
    require_permission(request, "web.submit_task")
    task_id = uuid.uuid4()
    submissions.call_with_deadline(lambda: submissions.publish(submission, str(task_id)))
    return submissions.Submitted(id=task_id)
