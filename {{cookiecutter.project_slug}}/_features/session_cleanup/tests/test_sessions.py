"""Tests of the periodic task that deletes expired sessions."""

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone

from {{ cookiecutter.project_slug }}.schedule import BEAT_SCHEDULE
from {{ cookiecutter.project_slug }}.users.tasks import clear_expired_sessions


@pytest.mark.django_db
def test_periodic_task_deletes_expired_sessions() -> None:
    for hours in (-1, 1):
        expiry = timezone.now() + timedelta(hours=hours)
        Session.objects.create(session_key=f"expires in {hours} h", session_data="", expire_date=expiry)
    clear_expired_sessions()
    assert [session.session_key for session in Session.objects.all()] == ["expires in 1 h"]
    assert clear_expired_sessions.name in {entry["task"] for entry in BEAT_SCHEDULE.values()}
