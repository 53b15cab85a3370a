"""The tasks of this app. `TASK_ROUTES` in `queues.py` names their queue."""

from celery import shared_task
from django.contrib.auth import get_user_model
from django.utils import timezone

from {{ cookiecutter.project_slug }}.base_task import BaseTask
from {{ cookiecutter.project_slug }}.celery_app import app as app  # as in tasks/


@shared_task(base=BaseTask)  # it is every task's class; said here, type checkers know of delay_on_commit
def build(report_id: int) -> None:
    """Build a report. A second time changes nothing, and for one that was deleted there is nothing to do."""
    from {{ cookiecutter.project_slug }}.reports.models import Report  # here, since it imports this module

    wanted = Report.objects.filter(pk=report_id, built_at=None).first()
    if wanted is None:
        return
    opened = get_user_model().objects.filter(date_joined__date__range=(wanted.since, wanted.until))
    Report.objects.filter(pk=report_id, built_at=None).update(accounts=opened.count(), built_at=timezone.now())
