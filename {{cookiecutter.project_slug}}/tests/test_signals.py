"""Tests of the signal receivers."""

import inspect
import signal
import sys
from unittest.mock import Mock

import celery.signals
import pytest
from celery.utils.dispatch import Signal

from {{ cookiecutter.project_slug }} import logs, signals

CONNECTED = {
    name: [receiver() for _, receiver in each.receivers]
    for name, each in vars(celery.signals).items()
    if isinstance(each, Signal) and each.receivers
}
FUNCTIONS = [each for each in vars(signals).values() if inspect.isfunction(each)]
RECEIVERS = [each for each in FUNCTIONS if each.__module__ == signals.__name__]


@pytest.mark.parametrize("receiver", RECEIVERS)
def test_receiver_is_connected(receiver: object) -> None:
    assert any(receiver in receivers for receivers in CONNECTED.values())


@pytest.mark.parametrize("name", ["celeryd_init", "beat_init"])
def test_workers_and_beat_start_sentry(name: str) -> None:
    assert signals.start_sentry in CONNECTED[name]


def test_warm_shutdown_has_a_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "_stopping", False)
    monkeypatch.setattr(signal, "signal", handle := Mock())
    monkeypatch.setattr(signal, "alarm", alarm := Mock())
    signals.limit_warm_shutdown(how="Warm")
    alarm.assert_called_once_with(signals.WARM_SHUTDOWN)
    assert handle.call_args.args[0] == signal.SIGALRM
    assert signals._stopping


def test_cold_shutdown_has_no_time_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "_stopping", False)
    monkeypatch.setattr(signal, "alarm", alarm := Mock())
    signals.limit_warm_shutdown(how="Cold")
    alarm.assert_not_called()


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_standard_output_is_disabled_only_with_json_logs(log_format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "__stdout__", sys.stdout)
    monkeypatch.setattr(logs, "configure", Mock())
    monkeypatch.setattr(signals, "env", Mock(log_format=log_format))
    signals.configure_logs()
    assert (sys.__stdout__ is None) == (log_format == "json")


@pytest.mark.parametrize(
    ("connected", "stopping", "is_exempt"),
    [(True, False, False), (False, False, True), (True, True, True), (False, True, True)],
)
def test_worker_is_exempt_from_heartbeats_while_it_connects_or_stops(
    connected: bool, stopping: bool, is_exempt: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "heartbeat", heartbeat := Mock())
    monkeypatch.setattr(signals, "_stopping", stopping)
    signals.report_worker_alive(sender=Mock(heart=Mock() if connected else None))
    assert heartbeat.is_exempt() == is_exempt
