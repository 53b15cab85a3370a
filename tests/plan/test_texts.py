"""Answers that are text, numbers, booleans or time zones."""

from __future__ import annotations

import importlib.util
import zoneinfo
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from local_extensions import answers
from local_extensions.errors import EXAMPLES
from local_extensions.names import MAX_SLUG_LENGTH, find_slug_problem, slugify
from tests.support.answers import list_errors, plan_of

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXTS = ("project_name", "description", "author_name")


@given(st.one_of(st.text(), st.from_regex(r"[ \w-]{0,50}", fullmatch=True)))
@example("")
@example("日本語")
@example("42")
@example("Celery")
@example("Email!")
@example("Class")
@example("x" * 200)
@example("e" * 39 + "_mail")
def test_any_project_name_gives_a_valid_slug(name: str) -> None:
    assert find_slug_problem(slugify(name)) is None


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("Background Jobs", "background_jobs"),
        ("  Été -- 2027! ", "ete_2027"),
        ("42 things", "project_42_things"),
        ("日本語", "project"),
        ("Email", "email_app"),
        ("My-Service.v2", "my_service_v2"),
    ],
)
def test_the_slug_of_a_project_name(name: str, word: str) -> None:
    assert slugify(name) == word


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=45), st.from_regex(r"[a-z_0-9]{1,10}", fullmatch=True)))
def test_an_accepted_slug_is_importable(word: str) -> None:
    if list_errors(project_slug=word):
        return
    assert word.isidentifier()
    assert plan_of(project_slug=word).slug == word


def test_a_slug_does_not_shadow_the_standard_library() -> None:
    for word in ("email", "logging", "queue", "this", "cgi", "imp", "distutils"):
        assert find_slug_problem(word) == "is a standard library module"


def test_a_slug_does_not_shadow_a_dependency() -> None:
    # This environment contains some of the dependencies of projects.
    for word in ("celery", "kombu", "redis", "pydantic", "structlog", "sentry_sdk", "django", "fastapi", "click"):
        assert find_slug_problem(word) == "is a dependency of the project"
    assert importlib.util.find_spec("celery")


@pytest.mark.parametrize(
    ("word", "problem", "suggestion"),
    [
        ("", "is empty", "project"),
        ("class", "is a Python keyword", "class_app"),
        ("match", "is a Python keyword", "match_app"),
        ("email", "is a standard library module", "email_app"),
        ("celery", "is a dependency of the project", "celery_app"),
        ("redis", "is a dependency of the project", "redis_app"),
        ("tests", "is a directory of the project", "tests_app"),
        ("deploy", "is a directory of the project", "deploy_app"),
        (
            "1st",
            "is not a valid package name: use only a-z, 0-9 and _, and begin with a letter",
            "project_1st",
        ),
        (
            " shop",
            "is not a valid package name: use only a-z, 0-9 and _, and begin with a letter",
            "shop",
        ),
        ("shop ", "is not a valid package name: use only a-z, 0-9 and _", "shop"),
        ("my-app", "is not a valid package name: use only a-z, 0-9 and _", "my_app"),
        ("my.app", "is not a valid package name: use only a-z, 0-9 and _", "my_app"),
        ("a/b", "is not a valid package name: use only a-z, 0-9 and _", "a_b"),
        (
            "..",
            "is not a valid package name: use only a-z, 0-9 and _, and begin with a letter",
            "project",
        ),
        (
            "/etc",
            "is not a valid package name: use only a-z, 0-9 and _, and begin with a letter",
            "etc",
        ),
        (
            "MyApp",
            "is not a valid package name: use only a-z, 0-9 and _, and begin with a letter",
            "myapp",
        ),
        ("x" * 33, "has 33 characters; the maximum is 32", "x" * 32),
    ],
)
def test_an_invalid_slug_is_rejected_with_a_valid_one(word: str, problem: str, suggestion: str) -> None:
    assert list_errors(project_slug=word) == (f"project_slug: '{word}' {problem}. Example: {suggestion}",)


def test_a_slug_may_have_32_characters() -> None:
    assert plan_of(project_slug="x" * MAX_SLUG_LENGTH).slug


@pytest.mark.parametrize("question", [*TEXTS, "author_email"])
@pytest.mark.parametrize("answer", ["", "   ", "\n"])
def test_empty_text_is_rejected(question: str, answer: str) -> None:
    expected = f"{question}: '' is empty. Example: {EXAMPLES[question]}"
    assert list_errors(**{question: answer}) == (expected,)


@pytest.mark.parametrize("question", TEXTS)
@pytest.mark.parametrize(
    ("answer", "piece"),
    [
        ("a\nb", r"a\nb"),
        ("a\rb", r"a\rb"),
        ("a\tb", r"a\tb"),
        ("a\x00b", r"a\x00b"),
        ("a\x1b[31mb", r"a\x1b[31mb"),
        ("a\x85b", r"a\x85b"),
        ("a\u2028b", r"a\u2028b"),
        ("a\u202eb", r"a\u202eb"),
        ("a\u2067b", r"a\u2067b"),
        ("a\ud800b", r"a\ud800b"),
    ],
)
def test_control_characters_are_rejected_and_escaped_in_the_message(question: str, answer: str, piece: str) -> None:
    problem = "contains a line break, a control character or a text direction override"
    expected = f"{question}: '{piece}' {problem}. Example: {EXAMPLES[question]}"
    assert list_errors(**{question: answer}) == (expected,)


@pytest.mark.parametrize("question", [*TEXTS, "author_email"])
def test_text_has_a_maximum_length(question: str) -> None:
    longest = answers.MAX_TEXT_LENGTHS[question]
    email = "@example.com" if question == "author_email" else ""
    assert list_errors(**{question: "x" * (longest - len(email)) + email}) == ()
    (line,) = list_errors(**{question: "x" * 2000})
    assert line.startswith(f"{question}: '{'x' * 59}…' has 2000 characters; the maximum is {longest}. Example")


@given(st.text(st.characters(exclude_categories=["Cc", "Cs", "Cf", "Zl", "Zp"]), min_size=1, max_size=80))
@example("\"'\\ # % $ {{ }} {% %} `x` é 日本 עברית 🎉")
def test_other_text_is_accepted_without_surrounding_whitespace(text: str) -> None:
    if not text.strip():
        return
    project = plan_of(project_name=text, description=text, author_name=f"  {text}  ").project
    assert project.name == project.description == project.author_name == text.strip()


@pytest.mark.parametrize("email", ["a@b.co", "first.last+tag@sub.example.com", "o'neill@example.museum", "a@b-c.x1"])
def test_a_valid_email_address_is_accepted(email: str) -> None:
    assert plan_of(author_email=email).project.author_email == email


@pytest.mark.parametrize(
    "email",
    [
        "me",
        "@b.co",
        "a@",
        "a@b",
        "a b@c.de",
        "a@b..co",
        ".a@b.co",
        "a.@b.co",
        "a@-b.co",
        "a@b.co>",
        '"a"@b.co',
        "a@b.1",
    ],
)
def test_an_invalid_email_address_is_rejected(email: str) -> None:
    expected = f"author_email: '{email}' is not a valid email address. Example: team@example.com"
    assert list_errors(author_email=email) == (expected,)


@pytest.mark.parametrize("answer", ["1", 1, "300", " 43200 ", 43200, "0300"])
def test_a_valid_time_limit_is_accepted(answer: object) -> None:
    assert plan_of(task_time_limit=answer).limits.task_time_limit == int(str(answer))


@pytest.mark.parametrize(
    "answer", ["", "0", 0, "-1", -5, "abc", "1.5", 2.5, "3_0", "1e3", "43201", "9" * 5000, "٣", "None", True]
)
def test_an_invalid_time_limit_is_rejected(answer: object) -> None:
    (line,) = list_errors(task_time_limit=answer)
    assert line.startswith("task_time_limit: '")
    assert line.endswith("' is not a whole number of seconds from 1 to 43200 (12 hours). Example: 300")


@pytest.fixture
def no_timezones(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Simulate a machine without a time zone database."""
    monkeypatch.setattr(zoneinfo, "available_timezones", set)
    answers.get_timezone_names.cache_clear()
    yield
    answers.get_timezone_names.cache_clear()


@pytest.mark.parametrize(
    "zone", ["UTC", "Europe/Paris", "America/Argentina/Buenos_Aires", "Etc/GMT+8", "Asia/Kathmandu"]
)
def test_a_valid_timezone_is_accepted(zone: str) -> None:
    assert plan_of(timezone=zone).project.timezone == zone


@pytest.mark.parametrize(
    ("zone", "line"),
    [
        ("", "timezone: '' is empty. Example: Europe/Paris"),
        (
            "Mars/Olympus",
            "timezone: 'Mars/Olympus' is not an IANA time zone name. Example: Europe/Paris",
        ),
        ("utc", "timezone: 'utc' is not an IANA time zone name. Example: UTC"),
        ("new york", "timezone: 'new york' is not an IANA time zone name. Example: Europe/Paris"),
        (
            "europe/berlin",
            "timezone: 'europe/berlin' is not an IANA time zone name. Example: Europe/Berlin",
        ),
        ("localtime", "timezone: 'localtime' is not an IANA time zone name. Example: Europe/Paris"),
        ("../UTC", "timezone: '../UTC' is not an IANA time zone name. Example: Europe/Paris"),
    ],
)
def test_an_invalid_timezone_is_rejected(zone: str, line: str) -> None:
    assert list_errors(timezone=zone) == (line,)


def test_each_iana_name_matches_the_pattern() -> None:
    assert not [zone for zone in zoneinfo.available_timezones() if not answers.TIMEZONE_PATTERN.fullmatch(zone)]


@pytest.mark.usefixtures("no_timezones")
def test_without_a_timezone_database_only_the_syntax_is_checked() -> None:
    assert plan_of(timezone="Europe/Paris").project.timezone == "Europe/Paris"
    assert plan_of(timezone="Mars/Olympus").project.timezone == "Mars/Olympus"
    for zone in ("../UTC", 'a"b', "a b", "/UTC", "x/", ""):
        assert len(list_errors(timezone=zone)) == 1


@pytest.mark.parametrize("answer", [True, "true", "Yes", "y", "1", "on", False, "false", "NO", "n", "0", "off"])
def test_a_valid_boolean_is_accepted(answer: object) -> None:
    assert plan_of(examples=answer).features["examples"] == (str(answer).lower() in {"true", "yes", "y", "1", "on"})


def test_an_invalid_boolean_is_rejected() -> None:
    assert list_errors(examples="maybe") == ("examples: 'maybe' is not a boolean (yes or no). Example: true",)
