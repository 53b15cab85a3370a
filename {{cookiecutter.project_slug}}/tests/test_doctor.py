"""The checks of the doctor, its output, and its exit status."""

from unittest.mock import Mock

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
def test_each_use_of_redis_needs_its_own_database(other: str, problems: int) -> None:
    assert len(list(doctor.check_databases({"A": "redis://localhost:6379/0", "B": other}))) == problems
{% endif %}
{% if plan().features.beat_remote_control %}


def test_two_beats_are_reported() -> None:
    one: dict[str, object] = {"celerybeat-1@host": {"ok": "pong"}, "emails@host": {"ok": "pong"}}
    assert list(doctor.check_beats([one])) == []
    (found,) = doctor.check_beats([one, {"celerybeat-2@host": {"ok": "pong"}}])
    assert "celerybeat-1@host, celerybeat-2@host" in found
{% endif %}


def test_each_check_is_a_line_with_its_findings_below(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse() -> list[str]:
        raise ConnectionError("refused")

    assert doctor.run({"disk": list, "clock": lambda: [Note("is 3 s late")], "memory": lambda: [Unknown("no limit")]})
    assert not doctor.run({"disk": lambda: [Unknown("no access"), "is full"], "broker": refuse})
    assert capsys.readouterr().out.splitlines() == [
        "ok       disk",
        "ok       clock",
        "         is 3 s late",
        "unknown  memory",
        "         no limit",
        "failure  disk",
        "         no access",
        "         is full",
        "failure  broker",
        "         ConnectionError: refused",
    ]


def test_a_broker_that_refuses_connections_is_a_failure(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, "connection_for_read", lambda: Connection("pyamqp://127.0.0.1:1"))
    assert doctor.main() == 1
    assert "failure  broker\n         OperationalError: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("results", "status"),
    [([True, True, True], 0), ([False, True, True], 1), ([True, False], 1), ([True, True, False], 1)],
)
def test_the_exit_status_is_1_if_a_check_fails(
    results: list[bool], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "run", Mock(side_effect=results))
    monkeypatch.setattr(broker_checks, "checks", lambda _: {})
    assert doctor.main() == status
