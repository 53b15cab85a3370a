"""The receivers of `signals.py` are connected."""

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
def test_each_function_receives_a_signal(receiver: object) -> None:
    assert any(receiver in receivers for receivers in CONNECTED.values())


@pytest.mark.parametrize("name", ["celeryd_init", "beat_init"])
def test_workers_and_beat_start_sentry(name: str) -> None:
    assert signals.start_sentry in CONNECTED[name]


def test_a_warm_shutdown_requeues_its_tasks_before_the_supervisor_kills(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "_stopping", False)
    monkeypatch.setattr(signal, "signal", handle := Mock())
    monkeypatch.setattr(signal, "alarm", alarm := Mock())
    signals.bound_warm_shutdown(how="Warm")
    alarm.assert_called_once_with(signals.WARM_SHUTDOWN)
    assert handle.call_args.args[0] == signal.SIGALRM
    assert signals._stopping


def test_a_cold_shutdown_needs_no_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signals, "_stopping", False)
    monkeypatch.setattr(signal, "alarm", alarm := Mock())
    signals.bound_warm_shutdown(how="Cold")
    alarm.assert_not_called()


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_what_celery_prints_is_dropped_only_where_logs_are_json(
    log_format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "__stdout__", sys.stdout)
    monkeypatch.setattr(logs, "configure", Mock())
    monkeypatch.setattr(signals, "env", Mock(log_format=log_format))
    signals.configure_logs()
    assert (sys.__stdout__ is None) == (log_format == "json")


@pytest.mark.parametrize(
    ("connected", "stopping", "excused"),
    [(True, False, False), (False, False, True), (True, True, True), (False, True, True)],
)
def test_a_worker_sends_no_heartbeat_while_it_connects_or_stops(
    connected: bool, stopping: bool, excused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signals, "heart", heart := Mock())
    monkeypatch.setattr(signals, "_stopping", stopping)
    signals.report_worker_alive(sender=Mock(heart=Mock() if connected else None))
    assert heart.excused() == excused
