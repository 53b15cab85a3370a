"""docs/questions.md: each example is valid, and each error has exactly the message in the table."""

from __future__ import annotations

import re

import pytest

from local_extensions.answers import MAX_TASK_TIME_LIMIT, MAX_TEXT_LENGTHS
from local_extensions.arguments import MAX_DEPTH, MAX_INTEGER
from local_extensions.beat import MAX_JOB_LENGTH, MAX_JOBS
from local_extensions.catalogue import BROKERS, EXTRAS, POOLS
from local_extensions.names import MAX_NAME_LENGTH, MAX_SLUG_LENGTH
from local_extensions.queues import MAX_CONCURRENCY, MAX_QUEUES
from local_extensions.schedules import NICKNAMES, SOLAR_EVENTS, parse_schedule
from tests.support.answers import DEFAULTS, ROOT, list_errors, plan_of
from tests.support.variants import choices

pytestmark = pytest.mark.rules

TEXT = (ROOT / "docs" / "questions.md").read_text(encoding="utf-8")
QUEUES = "emails:8, reports:2"


def parse_tables(header: str) -> list[list[str]]:
    """Return the rows of all tables with this header, each as a list of cells."""
    tables = re.findall(rf"^\| {re.escape(header)} \|\n\|[-|]+\n((?:\| .*\n)+)", TEXT, re.MULTILINE)
    assert tables, header
    return [line.strip("| ").split(" | ") for table in tables for line in table.splitlines()]


def parse_blocks(language: str) -> list[str]:
    """Return the fenced code blocks with this language."""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
    assert blocks, language
    return blocks


ERRORS = parse_tables("answer | message")
SCHEDULES = parse_tables("schedule | runs")


def test_each_question_has_its_choices_and_its_default() -> None:
    rows = parse_tables("question | valid answers | default | effect on the project")

    assert [question for question, *_ in rows] == [f"`{question}`" for question in DEFAULTS]
    for (question, default), (_, valid, shown, effect) in zip(DEFAULTS.items(), rows, strict=True):
        assert shown == (
            f"`{str(default).lower()}`" if isinstance(default, bool) else f"`{default}`" if default else "empty"
        )
        offered = [extra.name for extra in EXTRAS] if question == "extras" else choices().get(question, ())
        missing = [choice for choice in offered if f"`{str(choice).lower()}`" not in valid.lower()]
        assert not missing, question
        assert effect.endswith("."), question
    maximums = {**MAX_TEXT_LENGTHS, "project_slug": MAX_SLUG_LENGTH, "task_time_limit": MAX_TASK_TIME_LIMIT}
    valid_answers = {row[0].strip("`"): row[1] for row in rows}
    assert not [question for question, maximum in maximums.items() if f" {maximum}" not in valid_answers[question]]


@pytest.mark.parametrize("answer", [line for block in parse_blocks("queues") for line in block.splitlines()])
def test_an_example_of_queues_is_valid(answer: str) -> None:
    assert list_errors(queues=answer) == ()


@pytest.mark.parametrize("answer", parse_blocks("beat_jobs"), ids=lambda answer: str(answer.split("\n")[0]))
def test_an_example_of_beat_jobs_is_valid(answer: str) -> None:
    assert len(plan_of(queues=QUEUES, beat_jobs=answer).jobs) == len(answer.splitlines())


@pytest.mark.parametrize(("schedule", "words"), SCHEDULES, ids=[schedule for schedule, _ in SCHEDULES])
def test_an_example_of_a_schedule_runs_at_these_times(schedule: str, words: str) -> None:
    assert parse_schedule(schedule.strip("`")).words == words


@pytest.mark.parametrize(("answers", "message"), ERRORS, ids=[answers for answers, _ in ERRORS])
def test_an_error_has_exactly_this_message(answers: str, message: str) -> None:
    parsed = dict(answer.split("=", 1) for answer in answers[1:-1].split("` `"))

    assert list_errors(**parsed) == (message[1:-1],)


def test_the_examples_in_error_messages_are_valid() -> None:
    for _, message in ERRORS:
        question, _, rest = message.strip("`").partition(": ")
        example = rest.rpartition(". Example: ")[2]
        assert list_errors(**{question: example}) == (), message


def test_the_limits_and_names_are_complete() -> None:
    limits = dict(parse_tables("limit | value"))
    (sqs,) = (broker.max_queues for broker in BROKERS if broker.name == "sqs")

    assert {name: int(value) for name, value in limits.items()} == {
        "queues": MAX_QUEUES,
        "queues with `broker` `sqs`": sqs,
        "concurrency": MAX_CONCURRENCY,
        "characters of a name": MAX_NAME_LENGTH,
        "jobs": MAX_JOBS,
        "characters of a job": MAX_JOB_LENGTH,
        "characters of a name or a parameter": MAX_NAME_LENGTH,
        "nesting levels of lists and dicts": MAX_DEPTH,
        "largest integer": MAX_INTEGER,
    }
    pools = {name.split("`")[1]: value.strip("`") for name, value in parse_tables("pool | default concurrency")}
    assert pools == {pool.name: pool.concurrency for pool in POOLS}
    assert not [name for name in (*NICKNAMES, *SOLAR_EVENTS) if name not in TEXT]
