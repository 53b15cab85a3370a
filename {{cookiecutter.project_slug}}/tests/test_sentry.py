"""Errors and beat's jobs are reported to Sentry where `SENTRY_DSN` says so, and else nothing is."""

from unittest.mock import Mock

import pytest
import sentry_sdk
from sentry_sdk.integrations.celery import CeleryIntegration

from {{ cookiecutter.project_slug }} import signals


@pytest.fixture
def init(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Takes the place of Sentry's start."""
    start = Mock()
    monkeypatch.setattr(sentry_sdk, "init", start)
    return start


def test_without_an_address_it_is_off(init: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "env", Mock(sentry_dsn=""))
    signals.start_sentry()
    init.assert_not_called()


def test_with_one_it_reports_errors_and_jobs(init: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    dsn = "https://key@sentry.example.com/1"
    monkeypatch.setattr(signals, "env", Mock(sentry_dsn=dsn, sentry_environment="staging"))
    signals.start_sentry()
    said = init.call_args.kwargs
    assert (said["dsn"], said["environment"]) == (dsn, "staging")
    (integration,) = said["integrations"]
    assert isinstance(integration, CeleryIntegration)
    assert integration.monitor_beat_tasks
