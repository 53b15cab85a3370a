"""The tasks of this app. `TASK_ROUTES` in `queues.py` sets their queue."""

from celery import shared_task
from django.contrib.auth import get_user_model
from django.utils import timezone

from {{ cookiecutter.project_slug }}.base_task import BaseTask
from {{ cookiecutter.project_slug }}.celery_app import app as app  # `shared_task` needs the application


@shared_task(base=BaseTask)  # explicit for type checkers: BaseTask has delay_on_commit
def build(report_id: int) -> None:
    """Build a report. The task is idempotent, and ignores a deleted report."""
    from {{ cookiecutter.project_slug }}.reports.models import Report  # imported here to avoid a circular import

    report = Report.objects.filter(pk=report_id, built_at=None).first()
    if report is None:
        return
    accounts = get_user_model().objects.filter(date_joined__date__range=(report.since, report.until))
    Report.objects.filter(pk=report_id, built_at=None).update(accounts=accounts.count(), built_at=timezone.now())
