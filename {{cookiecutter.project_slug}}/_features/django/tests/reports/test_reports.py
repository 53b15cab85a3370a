"""Reports: their tasks are published after the commit."""

import datetime
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from celery import signals
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.reports.models import Report
from {{ cookiecutter.project_slug }}.reports.tasks import build

from ..conftest import WaitForTask
from ..factories import ReportFactory, UserFactory

CaptureOnCommit = Callable[..., AbstractContextManager[list[Callable[[], Any]]]]


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the ids of the reports whose tasks are published."""
    ids: list[int] = []
    monkeypatch.setattr(build, "delay", ids.append)
    return ids


@pytest.mark.django_db
def test_the_task_is_published_after_the_commit(
    published: list[int], django_capture_on_commit_callbacks: CaptureOnCommit
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        report = ReportFactory.create()
        assert published == []
    assert published == [report.pk]


@pytest.mark.django_db
def test_saving_an_existing_report_publishes_no_task(
    published: list[int], django_capture_on_commit_callbacks: CaptureOnCommit
) -> None:
    report = ReportFactory.create()
    with django_capture_on_commit_callbacks(execute=True):
        report.save()
    assert published == []


@pytest.mark.django_db(transaction=True)
def test_a_rollback_publishes_no_task(published: list[int]) -> None:
    with transaction.atomic():
        ReportFactory.create()
        transaction.set_rollback(True)
    assert published == []


@pytest.mark.django_db
def test_a_report_counts_the_accounts_of_its_period() -> None:
    for day in (31, 1, 31, 32):
        joined = datetime.datetime(2026, 12, 31, 12, tzinfo=datetime.UTC) + datetime.timedelta(days=day)
        UserFactory.create(date_joined=joined)
    report = ReportFactory.create()
    build(report.pk)
    report.refresh_from_db()
    assert report.accounts == 3
    assert report.built_at is not None


@pytest.mark.django_db
def test_a_second_delivery_of_the_task_changes_nothing() -> None:
    report = ReportFactory.create(accounts=7, built_at=timezone.now())
    build(report.pk)
    report.refresh_from_db()
    assert report.accounts == 7


@pytest.mark.django_db
def test_a_deleted_report_is_ignored() -> None:
    build(0)


@pytest.mark.django_db
def test_the_end_date_is_not_before_the_start_date() -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        ReportFactory.create(until=datetime.date(2026, 12, 31))


def test_the_admin_creates_and_rebuilds_a_report(
    admin_client: Client, published: list[int], django_capture_on_commit_callbacks: CaptureOnCommit
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        days = {"since": "2027-01-01", "until": "2027-01-31"}
        response = admin_client.post(reverse("admin:reports_report_add"), days)
    assert response.status_code == 302
    report = Report.objects.get()
    assert (report.requested_by, published) == (response.wsgi_request.user, [report.pk])
    with django_capture_on_commit_callbacks(execute=True):
        action = {"action": "rebuild", "_selected_action": [report.pk]}
        admin_client.post(reverse("admin:reports_report_changelist"), action)
    assert published == [report.pk, report.pk]


@pytest.mark.integration
@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("worker")
def test_a_worker_builds_the_report_on_the_queue_of_its_route(
    wait_for_task: WaitForTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    queues: list[str] = []

    def record(routing_key: str, **_: Any) -> None:
        queues.append(routing_key)

    signals.before_task_publish.connect(record)
    ids: list[str] = []
    monkeypatch.setattr(build, "delay", lambda report_id: ids.append(build.apply_async((report_id,)).id))
    report = ReportFactory.create()
    assert wait_for_task(ids[0]) == "SUCCESS"
    report.refresh_from_db()
    assert report.built_at is not None
    assert queues == [QueueName.{{ plan().default_queue.module | upper }}]
