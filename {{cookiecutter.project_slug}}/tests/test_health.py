"""Tests of the heartbeat file, systemd's watchdog and the heartbeat thread."""

import os
import socket
import time
from pathlib import Path

import pytest

from {{ cookiecutter.project_slug }} import health


@pytest.fixture
def heartbeat_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the path of the heartbeat file, which does not exist yet."""
    file = tmp_path / "heartbeat"
    monkeypatch.setenv("HEARTBEAT_FILE", str(file))
    return file


def test_recent_heartbeat_file_is_healthy(heartbeat_file: Path) -> None:
    health.report_alive()
    assert heartbeat_file.exists()
    assert health.main() == 0


def test_old_heartbeat_file_is_unhealthy(heartbeat_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    health.report_alive()
    long_ago = time.time() - health.MAX_FILE_AGE - 5
    os.utime(heartbeat_file, (long_ago, long_ago))
    assert health.main() == 1
    assert "hangs" in capsys.readouterr().err


def test_missing_heartbeat_file_is_unhealthy(heartbeat_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert health.main() == 1
    assert f"{heartbeat_file} does not exist" in capsys.readouterr().err


def test_unset_variable_is_reported(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.delenv("HEARTBEAT_FILE", raising=False)
    health.report_alive()
    assert health.main() == 1
    assert "HEARTBEAT_FILE: not set" in capsys.readouterr().err


def test_systemd_watchdog_is_notified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        health.report_alive()
        assert systemd.recv(64) == b"WATCHDOG=1"


def test_worker_with_recent_heartbeats_is_healthy() -> None:
    heartbeat = health.HeartbeatThread()
    assert heartbeat.is_healthy
    heartbeat.last_heartbeat -= health.HEARTBEAT_TIMEOUT
    assert not heartbeat.is_healthy
    heartbeat.record_heartbeat()
    assert heartbeat.is_healthy


def test_exempt_worker_is_healthy_without_heartbeats() -> None:
    heartbeat = health.HeartbeatThread()
    heartbeat.last_heartbeat -= health.HEARTBEAT_TIMEOUT
    heartbeat.is_exempt = lambda: True
    assert heartbeat.is_healthy
