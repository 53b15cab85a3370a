"""The parser for `queues`."""

from __future__ import annotations

import keyword

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_extensions.catalogue import POOLS
from local_extensions.errors import AnswerErrors, InvalidAnswersError
from local_extensions.names import MAX_NAME_LENGTH, find_queue_name_problem, to_identifier
from local_extensions.queues import QueueAnswer, last_queue, parse_queues
from tests.support.answers import list_errors, plan_of

EXAMPLE = "Example: emails:8, reports:2"

names = st.from_regex(r"[a-z]([a-z0-9_-]{0,20}[a-z0-9])?", fullmatch=True).filter(
    lambda name: not find_queue_name_problem(name)
)
queues = st.builds(
    lambda name, concurrency, pool: QueueAnswer(name, to_identifier(name), concurrency, pool),
    names,
    st.one_of(st.integers(1, 1000).map(str), st.just("auto")),
    st.sampled_from([pool.name for pool in POOLS]),
)


def parse(text: str) -> list[QueueAnswer]:
    errors = AnswerErrors()
    parsed = parse_queues(text, errors)
    errors.raise_if_any()
    return list(parsed.values())


@given(st.lists(queues, min_size=1, max_size=8, unique_by=lambda queue: queue.module))
def test_queue_text_round_trips(wanted: list[QueueAnswer]) -> None:
    assert parse(", ".join(queue.text for queue in wanted)) == wanted


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=40), st.text(alphabet="ab-_:@,1 0auto", max_size=30)))
def test_any_text_is_parsed_or_rejected_as_queues(text: str) -> None:
    try:
        parsed = parse(text)
    except InvalidAnswersError as error:
        assert all(line.startswith("queues: '") and line.endswith(EXAMPLE) for line in error.lines)
        return
    assert parse(", ".join(queue.text for queue in parsed)) == parsed
    assert all(queue.module.isidentifier() and not keyword.iskeyword(queue.module) for queue in parsed)
    assert len({queue.module for queue in parsed}) == len(parsed)


@given(names)
def test_dashes_and_underscores_in_names_are_equivalent(name: str) -> None:
    other = name.replace("-", "+").replace("_", "-").replace("+", "_")
    (line,) = list_errors(queues=f"{name}, {other}")
    assert "is defined twice" in line


@pytest.mark.parametrize(
    ("text", "concurrency", "pool"),
    [
        ("emails", "auto", "prefork"),
        ("emails:8", "8", "prefork"),
        ("emails:008", "8", "prefork"),
        ("emails:auto", "auto", "prefork"),
        (" emails : 8 @ threads ", "8", "threads"),
        ("emails@threads", "20", "threads"),
        ("emails@gevent", "100", "gevent"),
        ("emails:1000@gevent", "1000", "gevent"),
    ],
)
def test_concurrency_and_pool_have_defaults(text: str, concurrency: str, pool: str) -> None:
    (queue,) = parse(text)
    assert (queue.name, queue.concurrency, queue.pool) == ("emails", concurrency, pool)


def test_the_first_queue_is_the_default_and_whitespace_around_commas_is_ignored() -> None:
    plan = plan_of(queues="emails:8 ,\n  high-priority:2,type")
    assert plan.default_queue.name == "emails"
    assert [queue.name for queue in plan.queues] == ["emails", "high-priority", "type"]
    assert [queue.module for queue in plan.queues] == ["emails", "high_priority", "type"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "queues: '' is empty; define at least one queue."),
        ("a,,b", "queues: 'a,,b' has an empty item; remove the extra comma."),
        ("a,", "queues: 'a,' has an empty item; remove the extra comma."),
        ("e mails", "queues: 'e mails' has a space in its name."),
        ("e\tmails", r"queues: 'e\tmails' has an invalid name: use only a-z, 0-9, - and _."),
        (
            "Emails",
            "queues: 'Emails' has an invalid name: use only a-z, 0-9, - and _, and begin with a letter.",
        ),
        ("amq.x", "queues: 'amq.x' has an invalid name: use only a-z, 0-9, - and _."),
        ("é", "queues: 'é' has an invalid name: use only a-z, 0-9, - and _, and begin with a letter."),
        (":8", "queues: ':8' has no name."),
        ("a-", "queues: 'a-' has an invalid name: it must end with a letter or a digit."),
        ("celery", "queues: 'celery' has a reserved name: Celery uses names that begin with 'celery'."),
        ("celeryd-x", "queues: 'celeryd-x' has a reserved name: Celery uses names that begin with 'celery'."),
        ("dead-letters", "queues: 'dead-letters' has a reserved name: it is the dead-letter queue."),
        ("import", "queues: 'import' has an invalid name: it is a Python keyword."),
        ("a:0", "queues: 'a:0' has an invalid concurrency after ':' (1 to 1000, or auto)."),
        ("a:-1", "queues: 'a:-1' has an invalid concurrency after ':' (1 to 1000, or auto)."),
        ("a:1.5", "queues: 'a:1.5' has an invalid concurrency after ':' (1 to 1000, or auto)."),
        ("a:1000000000", "queues: 'a:1000000000' has an invalid concurrency after ':' (1 to 1000, or auto)."),
        ("a:", "queues: 'a:' has an invalid concurrency after ':' (1 to 1000, or auto)."),
        ("a:٣", "queues: 'a:٣' has an invalid concurrency after ':' (1 to 1000, or auto)."),
        ("a@fork", "queues: 'a@fork' has an unknown pool after '@' (choose from prefork, threads, gevent)."),
        ("a@", "queues: 'a@' has an unknown pool after '@' (choose from prefork, threads, gevent)."),
        ("a@threads:8", "queues: 'a@threads:8' has an unknown pool after '@' (choose from prefork, threads, gevent)."),
        ("a, b, a", "queues: 'a' is defined twice."),
        ("a-b, a_b", "queues: 'a_b' is defined twice: '-' and '_' are equivalent, and 'a-b' is already defined."),
    ],
)
def test_an_invalid_queue_is_rejected_with_the_piece_and_the_reason(text: str, line: str) -> None:
    assert list_errors(queues=text) == (f"{line} {EXAMPLE}",)


def test_a_long_piece_is_truncated_in_the_message() -> None:
    (line,) = list_errors(queues="q" * 300)
    assert line.startswith(f"queues: '{'q' * 59}…' has a name of 300 characters; the maximum is 54")


def test_a_name_may_have_54_characters() -> None:
    assert plan_of(queues="q" * MAX_NAME_LENGTH).queues
    assert list_errors(queues="q" * (MAX_NAME_LENGTH + 1))


def test_the_maximum_is_500_queues() -> None:
    assert len(plan_of(queues=",".join(f"q{number}" for number in range(500))).queues) == 500
    (line,) = list_errors(queues=",".join(f"q{number}" for number in range(501)))
    assert "has 501 queues; the maximum is 500" in line


def test_all_errors_of_queues_are_reported() -> None:
    assert len(list_errors(queues="E:0@x, E, b c")) == 6


@pytest.mark.parametrize(
    ("text", "name"), [("a", "a"), ("a:1, b-c:2@threads ", "b-c"), ("a, b@gevent", "b"), ("", ""), ("a,", "")]
)
def test_the_default_job_uses_the_last_queue(text: str, name: str) -> None:
    assert last_queue(text) == name
