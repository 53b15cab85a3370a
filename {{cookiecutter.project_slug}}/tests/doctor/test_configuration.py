"""What is said of wrong settings, and of numbers that are too high."""

import pytest

from {{ cookiecutter.project_slug }}.doctor import checks, configuration


def test_these_settings_are_right() -> None:
    assert {finding.status for finding in configuration.examine()} == {"ok"}


def test_a_format_beside_json_is_a_failure() -> None:
    found = configuration.json_only({"json", "pickle"})
    assert (found.status, found.what) == ("failure", "pickle is read or written beside JSON")


@pytest.mark.parametrize(("soft", "hard"), [(None, 300), (270, None), (300, 300)])
def test_a_missing_time_limit_is_a_failure(soft: float | None, hard: float | None) -> None:
    assert configuration.time_limits(soft, hard).status == "failure"


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("redis://localhost:6379/0", "ok"),
        ("amqp://user:password@[::1]:5672//", "ok"),
        ("redis://redis:6379/0", "ok"),
        ("redis://redis.production.svc.cluster.local:6379/0", "ok"),
        ("rediss://cache.example.com:6379/0", "ok"),
        ("amqps://user:password@mq.example.com//", "ok"),
        ("postgresql://db.example.com/jobs?sslmode=verify-full", "ok"),
        ("redis://10.0.0.5:6379/0", "warning"),
        ("redis://cache.example.com:6379/0", "failure"),
        ("rediss://cache.example.com:6379/0?ssl_cert_reqs=none", "failure"),
        ("postgresql://db.example.com/jobs?sslmode=prefer", "failure"),
    ],
)
def test_a_way_over_other_networks_needs_tls(url: str, status: str) -> None:
    assert configuration.tls("URL", url).status == status


def test_a_password_is_not_repeated() -> None:
    assert "secret" not in str(configuration.tls("URL", "redis://user:secret@cache.example.com:6379/0"))


@pytest.mark.parametrize(("waiting", "oldest"), [(checks.MANY + 1, None), (1, checks.LONG_WAIT + 1)])
def test_a_long_queue_or_an_old_task_is_a_warning(waiting: int, oldest: float | None) -> None:
    assert checks.backlog("emails", waiting).status in ("ok", "warning")
    found = checks.backlog("emails", waiting, oldest)
    assert (found.check, found.status) == ("queue emails", "warning")


def test_dead_letters_are_a_warning() -> None:
    assert checks.dead_letters(0).status == "ok"
    found = checks.dead_letters(3)
    assert (found.status, found.what) == ("warning", "3 of them")


@pytest.mark.parametrize(("skew", "what"), [(90.0, "90 s ahead of"), (-90.0, "90 s behind")])
def test_a_clock_that_is_off_is_a_failure(skew: float, what: str) -> None:
    assert checks.clock("Redis", checks.LARGEST_SKEW).status == "ok"
    found = checks.clock("Redis", skew)
    assert (found.status, found.what) == ("failure", f"Redis is {what} this machine")


def test_the_time_that_an_answer_takes_is_no_skew() -> None:
    assert checks.skew_of(105, asked=100, answered=110) == 0
    assert checks.skew_of(120, asked=100, answered=110) == 10
    assert checks.skew_of(70, asked=100, answered=110) == -30
