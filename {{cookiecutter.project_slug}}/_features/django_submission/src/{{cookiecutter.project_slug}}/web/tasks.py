"""Submit a task. Without a result backend, its log lines are what is known of it."""

import uuid
from typing import TYPE_CHECKING

from ninja import Router

from {{ cookiecutter.project_slug }} import submissions
from {{ cookiecutter.project_slug }}.web.security import ApiRequest, require

if TYPE_CHECKING:
    from {{ cookiecutter.project_slug }}.submissions import Submission
else:
    Submission = submissions.any_submission()

router = Router(tags=["tasks"])


@router.post("", response={202: submissions.Submitted}, summary="Submit a task")
def submit(request: ApiRequest, submission: Submission) -> submissions.Submitted:
    """Send a task to its queue; look for its id in the logs."""
    require(request, "web.submit_task")
    task_id = uuid.uuid4()
    submissions.promptly(lambda: submissions.publish(submission, str(task_id)))
    return submissions.Submitted(id=task_id)
