"""A live process is known by a fresh heartbeat, a dead one by an old or missing one."""

import os
import socket
import time
from pathlib import Path

import pytest

from {{ cookiecutter.project_slug }} import health


@pytest.fixture
def heartbeat(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The heartbeat file, which does not exist yet."""
    file = tmp_path / "heartbeat"
    monkeypatch.setenv("HEARTBEAT_FILE", str(file))
    return file


def test_a_fresh_heartbeat_is_healthy(heartbeat: Path) -> None:
    health.show_life()
    assert heartbeat.exists()
    assert health.main() == 0


def test_an_old_heartbeat_is_not(heartbeat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    health.show_life()
    long_ago = time.time() - health.MAX_AGE - 5
    os.utime(heartbeat, (long_ago, long_ago))
    assert health.main() == 1
    assert "hangs" in capsys.readouterr().err


def test_none_is_not_either(heartbeat: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert health.main() == 1
    assert f"{heartbeat} does not exist" in capsys.readouterr().err


def test_without_a_file_there_is_nothing_to_probe(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("HEARTBEAT_FILE", raising=False)
    health.show_life()
    assert health.main() == 1
    assert "HEARTBEAT_FILE is not set" in capsys.readouterr().err


def test_systemd_hears_of_each_sign_of_life(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        health.show_life()
        assert systemd.recv(64) == b"WATCHDOG=1"


def test_a_worker_is_alive_while_its_main_loop_beats() -> None:
    heart = health.Heart()
    assert heart.alive
    heart.last_beat -= health.HANGS_AFTER
    assert not heart.alive
    heart.beat()
    assert heart.alive


def test_a_worker_that_waits_for_its_broker_or_stops_is_excused() -> None:
    heart = health.Heart()
    heart.last_beat -= health.HANGS_AFTER
    heart.excused = lambda: True
    assert heart.alive
