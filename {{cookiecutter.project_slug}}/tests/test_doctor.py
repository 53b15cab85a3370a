"""The checks of the doctor, its output, and its exit status."""

{% if plan().features.redis %}
from typing import Any

{% endif %}
import pytest

from {{ cookiecutter.project_slug }} import doctor
{% if plan().features.sqs %}
from {{ cookiecutter.project_slug }}.sqs import VISIBILITY_TIMEOUT
{% endif %}


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
{% if plan().features.redis %}


@pytest.mark.parametrize(
    ("fact", "problem"),
    [
        ({"maxmemory_policy": "allkeys-lru"}, "maxmemory-policy is allkeys-lru"),
        ({"aof_enabled": 0}, "appendonly is off"),
        ({"aof_last_write_status": "err"}, "cannot be written"),
    ],
)
def test_a_redis_that_loses_tasks_is_reported(fact: dict[str, Any], problem: str) -> None:
    safe = {"maxmemory_policy": "noeviction", "aof_enabled": 1, "aof_last_write_status": "ok"}
    assert list(doctor.check_redis(safe)) == []
    (found,) = doctor.check_redis(safe | fact)
    assert problem in found


def test_overdue_tasks_are_reported() -> None:
    (found,) = doctor.check_scheduled({"emails": 0, "reports": 2})
    assert found.startswith("2 scheduled tasks of reports are overdue")
{% endif %}
{% if plan().features.sqs %}


@pytest.mark.parametrize("seconds", [VISIBILITY_TIMEOUT - 1, VISIBILITY_TIMEOUT + 1])
def test_a_queue_that_differs_from_its_template_is_reported(seconds: int) -> None:
    deployed = {"VisibilityTimeout": str(VISIBILITY_TIMEOUT), "RedrivePolicy": "{}"}
    assert list(doctor.check_queue("emails", deployed)) == []
    timeout, redrive = doctor.check_queue("emails", {"VisibilityTimeout": str(seconds)})
    assert "VisibilityTimeout" in timeout
    assert "RedrivePolicy" in redrive
{% endif %}
{% if plan().features.beat_remote_control %}


def test_two_beats_are_reported() -> None:
    one: dict[str, object] = {"celerybeat-1@host": {"ok": "pong"}, "emails@host": {"ok": "pong"}}
    assert list(doctor.check_beats([one])) == []
    (found,) = doctor.check_beats([one, {"celerybeat-2@host": {"ok": "pong"}}])
    assert "celerybeat-1@host, celerybeat-2@host" in found
{% endif %}


def test_each_check_is_a_line_with_its_problems_below(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse() -> list[str]:
        raise ConnectionError("refused")

    assert doctor.main({"disk": list}) == 0
    assert doctor.main({"disk": lambda: ["is full"], "broker": refuse, "clock": list}) == 1
    assert capsys.readouterr().out.splitlines() == [
        "ok       disk",
        "failure  disk",
        "         is full",
        "failure  broker",
        "         ConnectionError: refused",
        "ok       clock",
    ]
