"""The checks of the doctor, its output, and its exit status."""

import json
import sys
from unittest.mock import Mock

import click
import pytest
from kombu import Connection

from {{ cookiecutter.project_slug }} import broker_checks, doctor
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.findings import Note, Unknown


@pytest.mark.parametrize(
    ("url", "problems"),
    [
        ("redis://localhost:6379/0", 0),
        ("amqp://user:password@[::1]:5672//", 0),
        ("redis://redis:6379/0", 0),
        ("redis://redis.production.svc.cluster.local:6379/0", 0),
        ("redis://10.0.0.5:6379/0", 0),
        ("sqlite:///db.sqlite3", 0),
        ("rediss://cache.example.com:6379/0", 0),
        ("amqps://user:password@mq.example.com//", 0),
        ("postgresql://db.example.com/jobs?sslmode=verify-full", 0),
        ("redis://cache.example.com:6379/0", 1),
        ("redis://8.8.8.8:6379/0", 1),
        ("rediss://cache.example.com:6379/0?ssl_cert_reqs=none", 1),
        ("amqps://user:password@mq.example.com//?ssl_cert_reqs=none", 1),
        ("postgresql://db.example.com/jobs?sslmode=prefer", 1),
        ("postgresql://db.example.com/jobs?sslmode=require", 1),
    ],
)
def test_a_connection_over_a_public_network_needs_tls(url: str, problems: int) -> None:
    assert len(list(doctor.check_encryption({"URL": url}))) == problems


def test_a_password_is_not_printed() -> None:
    (problem,) = doctor.check_encryption({"URL": "redis://user:secret@cache.example.com:6379/0"})
    assert "secret" not in problem


@pytest.mark.parametrize("name", ["task_acks_late", "task_reject_on_worker_lost"])
def test_settings_that_lose_tasks_are_reported(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(doctor.check_acknowledgement()) == []
    monkeypatch.setitem(app.conf, name, False)
    (problem,) = doctor.check_acknowledgement()
    assert problem.startswith(f"{name} is off")
{% if plan().features.several_redis_databases %}


@pytest.mark.parametrize(
    ("other", "problems"),
    [
        ("redis://localhost:6379/1", 0),
        ("redis://localhost:6379/0", 1),
        ("redis://:word@localhost", 1),
        ("rediss://localhost:6379/", 1),
    ],
)
def test_each_use_of_redis_needs_a_separate_database(other: str, problems: int) -> None:
    assert len(list(doctor.check_databases({"A": "redis://localhost:6379/0", "B": other}))) == problems
{% endif %}
{% if plan().features.beat_remote_control %}


def test_two_beat_instances_are_reported() -> None:
    one: dict[str, object] = {"celerybeat-1@host": {"ok": "pong"}, "emails@host": {"ok": "pong"}}
    assert list(doctor.check_beats([one])) == []
    (found,) = doctor.check_beats([one, {"celerybeat-2@host": {"ok": "pong"}}])
    assert "celerybeat-1@host, celerybeat-2@host" in found
{% endif %}


def refuse() -> list[str]:
    """Raise the error of an unreachable server."""
    raise ConnectionError("refused")


CHECKS: dict[str, doctor.Check] = {
    "disk": list,
    "memory": lambda: [Note("is 3 % full"), Unknown("no limit")],
    "clock": lambda: [Unknown("no access"), "is 3 s late"],
    "cache": refuse,
}


def test_each_finding_has_a_status() -> None:
    assert [list(finding.values()) for finding in doctor.run(CHECKS)] == [
        ["disk", "ok", ""],
        ["memory", "ok", "is 3 % full"],
        ["memory", "unknown", "no limit"],
        ["clock", "unknown", "no access"],
        ["clock", "failure", "is 3 s late"],
        ["cache", "failure", "ConnectionError: refused"],
    ]


@pytest.mark.parametrize(("terminal", "no_color", "color"), [(True, "", True), (True, "1", False), (False, "", False)])
def test_the_table_has_colors_on_a_terminal_only(
    terminal: bool, no_color: str, color: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "run_all", lambda: doctor.run(CHECKS))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    monkeypatch.setenv("NO_COLOR", no_color)
    assert doctor.main([]) == 1
    printed = capsys.readouterr().out
    assert ("\x1b[31mfailure" in printed) == color
    assert click.unstyle(printed).splitlines()[:4] == [
        "CHECK   STATUS   DETAIL",
        "disk    ok",
        "memory  ok       is 3 % full",
        "memory  unknown  no limit",
    ]


def test_a_long_finding_is_wrapped_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "run_all", lambda: doctor.run({"disk": lambda: [Note("is " * 20)]}))
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "60")
    assert doctor.main([]) == 0
    _, first, second = click.unstyle(capsys.readouterr().out).splitlines()
    assert len(first) < 60
    assert second.startswith(" " * len("CHECK  STATUS  ") + "is ")


def test_a_broker_that_refuses_connections_is_a_failure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "connection_for_read", lambda: Connection("pyamqp://127.0.0.1:1"))
    assert doctor.main(["--json"]) == 1
    *_, finding = json.loads(capsys.readouterr().out)
    assert (finding["check"], finding["status"]) == ("broker", "failure")
    assert finding["detail"].startswith("OperationalError: ")
    assert finding["detail"].endswith("check that the broker is running and that its URL is correct")


@pytest.mark.parametrize(
    ("statuses", "exit_status"),
    [
        ([["ok"], ["ok"], ["unknown"]], 0),
        ([["failure"], ["ok"], ["ok"]], 1),
        ([["ok"], ["failure"]], 1),
        ([["ok"], ["ok"], ["failure", "ok"]], 1),
    ],
)
def test_the_exit_status_is_1_if_a_check_fails(
    statuses: list[list[str]], exit_status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [[{"check": "disk", "status": status, "detail": ""} for status in each] for each in statuses]
    monkeypatch.setattr(doctor, "run", Mock(side_effect=found))
    monkeypatch.setattr(broker_checks, "list_checks", lambda _: {})
    assert doctor.main([]) == exit_status
