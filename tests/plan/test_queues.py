"""The language of the question `queues`."""

from __future__ import annotations

import keyword

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from local_extensions.catalogue import POOLS
from local_extensions.errors import Mistakes, Refused
from local_extensions.names import LONGEST_NAME, identifier, queue_problem
from local_extensions.queues import QueueAnswer, last_queue, parse_queues
from tests.support.answers import mistakes_in, plan_of

EXAMPLE = "Write for example: emails:8, reports:2"

names = st.from_regex(r"[a-z]([a-z0-9_-]{0,20}[a-z0-9])?", fullmatch=True).filter(lambda name: not queue_problem(name))
queues = st.builds(
    lambda name, concurrency, pool: QueueAnswer(name, identifier(name), concurrency, pool),
    names,
    st.one_of(st.integers(1, 1000).map(str), st.just("auto")),
    st.sampled_from([pool.name for pool in POOLS]),
)


def parse(text: str) -> list[QueueAnswer]:
    mistakes = Mistakes()
    parsed = parse_queues(text, mistakes)
    mistakes.refuse()
    return list(parsed.values())


@given(st.lists(queues, min_size=1, max_size=8, unique_by=lambda queue: queue.module))
def test_queues_that_are_printed_read_as_the_same_queues(wanted: list[QueueAnswer]) -> None:
    assert parse(", ".join(queue.text for queue in wanted)) == wanted


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=40), st.text(alphabet="ab-_:@,1 0auto", max_size=30)))
def test_any_text_is_queues_or_is_refused(text: str) -> None:
    try:
        parsed = parse(text)
    except Refused as refused:
        assert all(line.startswith("queues: '") and line.endswith(EXAMPLE) for line in refused.lines)
        return
    assert parse(", ".join(queue.text for queue in parsed)) == parsed
    assert all(queue.module.isidentifier() and not keyword.iskeyword(queue.module) for queue in parsed)
    assert len({queue.module for queue in parsed}) == len(parsed)


@given(names)
def test_names_that_differ_only_in_dashes_and_underscores_are_one_name(name: str) -> None:
    other = name.replace("-", "+").replace("_", "-").replace("+", "_")
    (line,) = mistakes_in(queues=f"{name}, {other}")
    assert "is there twice" in line


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
def test_concurrency_and_pool_are_what_was_asked_or_what_suits_the_pool(text: str, concurrency: str, pool: str) -> None:
    (queue,) = parse(text)
    assert (queue.name, queue.concurrency, queue.pool) == ("emails", concurrency, pool)


def test_the_first_queue_is_the_default_and_blanks_and_line_breaks_around_commas_do_not_matter() -> None:
    plan = plan_of(queues="emails:8 ,\n  high-priority:2,type")
    assert plan.default_queue.name == "emails"
    assert [queue.name for queue in plan.queues] == ["emails", "high-priority", "type"]
    assert [queue.module for queue in plan.queues] == ["emails", "high_priority", "type"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "queues: '' is empty, and a project needs a queue."),
        ("a,,b", "queues: 'a,,b' has an empty piece between, before or after commas."),
        ("a,", "queues: 'a,' has an empty piece between, before or after commas."),
        ("e mails", "queues: 'e mails' has a space."),
        ("e\tmails", r"queues: 'e\tmails' has a bad name: it must have only a-z, 0-9, - and _."),
        (
            "Emails",
            "queues: 'Emails' has a bad name: it must begin with a letter a-z, and have only a-z, 0-9, - and _.",
        ),
        ("amq.x", "queues: 'amq.x' has a bad name: it must have only a-z, 0-9, - and _."),
        ("é", "queues: 'é' has a bad name: it must begin with a letter a-z, and have only a-z, 0-9, - and _."),
        (":8", "queues: ':8' has no name."),
        ("a-", "queues: 'a-' has a bad name: it must end with a letter or a digit."),
        ("celery", "queues: 'celery' begins with 'celery', as Celery's own queues do."),
        ("celeryd-x", "queues: 'celeryd-x' begins with 'celery', as Celery's own queues do."),
        ("dead-letters", "queues: 'dead-letters' is reserved: it is where dead letters go."),
        ("import", "queues: 'import' is a Python keyword, and the name becomes a Python name."),
        ("a:0", "queues: 'a:0' has no concurrency from 1 to 1000, or auto, after ':'."),
        ("a:-1", "queues: 'a:-1' has no concurrency from 1 to 1000, or auto, after ':'."),
        ("a:1.5", "queues: 'a:1.5' has no concurrency from 1 to 1000, or auto, after ':'."),
        ("a:1000000000", "queues: 'a:1000000000' has no concurrency from 1 to 1000, or auto, after ':'."),
        ("a:", "queues: 'a:' has no concurrency from 1 to 1000, or auto, after ':'."),
        ("a:٣", "queues: 'a:٣' has no concurrency from 1 to 1000, or auto, after ':'."),
        ("a@fork", "queues: 'a@fork' has no known pool after '@': it is one of prefork, threads, gevent."),
        ("a@", "queues: 'a@' has no known pool after '@': it is one of prefork, threads, gevent."),
        ("a@threads:8", "queues: 'a@threads:8' has no known pool after '@': it is one of prefork, threads, gevent."),
        ("a, b, a", "queues: 'a' is there twice."),
        ("a-b, a_b", "queues: 'a_b' is there twice: '-' and '_' are one, so it is 'a-b' again."),
    ],
)
def test_a_wrong_queue_is_one_line_with_the_piece_and_the_reason(text: str, line: str) -> None:
    assert mistakes_in(queues=text) == (f"{line} {EXAMPLE}",)


def test_a_long_piece_is_shortened_in_its_line() -> None:
    (line,) = mistakes_in(queues="q" * 300)
    assert line.startswith(f"queues: '{'q' * 59}…' has a name of 300 characters, and 54 are the most")


def test_a_name_may_have_54_characters() -> None:
    assert plan_of(queues="q" * LONGEST_NAME).queues
    assert mistakes_in(queues="q" * (LONGEST_NAME + 1))


def test_500_queues_are_the_most() -> None:
    assert len(plan_of(queues=",".join(f"q{number}" for number in range(500))).queues) == 500
    (line,) = mistakes_in(queues=",".join(f"q{number}" for number in range(501)))
    assert "has 501 queues, and 500 are the most" in line


def test_every_mistake_is_told() -> None:
    assert len(mistakes_in(queues="E:0@x, E, b c")) == 6


@pytest.mark.parametrize(
    ("text", "name"), [("a", "a"), ("a:1, b-c:2@threads ", "b-c"), ("a, b@gevent", "b"), ("", ""), ("a,", "")]
)
def test_the_jobs_that_we_propose_go_to_the_last_queue(text: str, name: str) -> None:
    assert last_queue(text) == name
