"""Beat passes its health checks while it sleeps and while the broker is unreachable, and stops on a signal."""

import signal
from unittest.mock import Mock

import pytest

from {{ cookiecutter.project_slug }} import health, signals
from {{ cookiecutter.project_slug }}.celery_app import app

from .test_deploy import EXAMPLE, read_unit

MAX_TICK_SECONDS = app.conf.beat_max_loop_interval + float(EXAMPLE["CELERY_PUBLISH_TIMEOUT"])
"""The longest time between two heartbeats of beat."""


def test_the_maximum_age_of_the_heartbeat_is_longer_than_a_tick() -> None:
    assert health.MAX_FILE_AGE > MAX_TICK_SECONDS


def test_the_watchdog_timeout_is_longer_than_a_tick() -> None:
    assert int(read_unit("beat")["WatchdogSec"]) > MAX_TICK_SECONDS


def test_beat_exits_on_a_signal_without_closing_its_connection() -> None:
    """Celery's handler would close it during a publish, which hangs on RabbitMQ."""
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
