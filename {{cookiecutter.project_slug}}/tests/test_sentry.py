"""Tests of the Sentry integration."""

import logging
import subprocess
import sys
from types import ModuleType
from unittest.mock import Mock

import pytest
import sentry_sdk
from sentry_sdk.integrations.celery import CeleryIntegration
from sentry_sdk.integrations.logging import EventHandler

from {{ cookiecutter.project_slug }} import alerts, base_task, logs, signals


@pytest.fixture
def init(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Replace `sentry_sdk.init` with a mock."""
    init_mock = Mock()
    monkeypatch.setattr(sentry_sdk, "init", init_mock)
    return init_mock


def test_sentry_is_disabled_without_a_dsn(init: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "env", Mock(sentry_dsn=""))
    signals.start_sentry()
    init.assert_not_called()


def test_sentry_is_not_imported_without_a_dsn() -> None:
    program = "import sys, {{ cookiecutter.project_slug }}.celery_app as a; sys.exit('sentry_sdk' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_sentry_reports_errors_and_monitors_periodic_tasks(init: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    dsn = "https://key@sentry.example.com/1"
    monkeypatch.setattr(signals, "env", Mock(sentry_dsn=dsn, sentry_environment="staging"))
    signals.start_sentry()
    options = init.call_args.kwargs
    assert (options["dsn"], options["environment"]) == (dsn, "staging")
    (integration,) = options["integrations"]
    assert isinstance(integration, CeleryIntegration)
    assert integration.monitor_beat_tasks


@pytest.mark.parametrize(("module", "events"), [(base_task, 0), (alerts, 0), (logs, 1)])
def test_failure_is_reported_once(module: ModuleType, events: int, init: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Celery's integration reports the failure. Its log line and its alert are not reported again."""
    monkeypatch.setattr(signals, "env", Mock(sentry_dsn="https://key@sentry.example.com/1", sentry_environment="test"))
    signals.start_sentry()
    dropped = Mock(return_value=None)
    handler = EventHandler()
    logger = logging.getLogger(module.__name__)
    logger.addHandler(handler)
    with sentry_sdk.isolation_scope() as scope:
        scope.set_client(
            sentry_sdk.Client("https://key@sentry.example.com/1", before_send=dropped, default_integrations=False)
        )
        logger.error("task failed")
    logger.removeHandler(handler)
    assert dropped.call_count == events
