"""Beat is not taken for dead while it sleeps, nor while it waits for a broker that is away."""

import signal
from unittest.mock import Mock

import pytest

from {{ cookiecutter.project_slug }} import health, signals
from {{ cookiecutter.project_slug }}.celery_app import app

from .test_deploy import EXAMPLE, unit_of

SILENT = app.conf.beat_max_loop_interval + float(EXAMPLE["CELERY_PUBLISH_TIMEOUT"])


def test_the_probe_waits_longer() -> None:
    assert health.MAX_FILE_AGE > SILENT


def test_the_watchdog_waits_longer() -> None:
    assert int(unit_of("beat")["WatchdogSec"]) > SILENT


def test_a_signal_ends_beat_before_it_closes_its_connection() -> None:
    """Celery's handler would close it in the middle of a publish, which hangs on RabbitMQ."""
    before = {number: signal.signal(number, Mock()) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        signals.report_beat_alive(sender=(service := Mock()))
        for number, error in ((signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)):
            with pytest.raises(error):
                signal.raise_signal(number)
        service.sync.assert_not_called()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
