"""The tasks of this app. `TASK_ROUTES` in `queues.py` sets their queue."""

from celery import shared_task
from django.core.management import call_command

from {{ cookiecutter.project_slug }}.celery_app import app as app  # as in tasks/


@shared_task
def clear_expired_sessions() -> None:
    """Delete expired sessions, which Django does not delete itself."""
    call_command("clearsessions")
