"""docs/answers: the page in a real browser, and its parsers compared with those of the template."""

from __future__ import annotations

import json
import random
import re
import subprocess
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from celery.schedules import crontab
from click.testing import CliRunner
from cookiecutter.cli import main as cookiecutter
from cookiecutter.prompt import prompt_for_config
from playwright.sync_api import expect

from docs.answers.generate_data import DATA, format_data
from local_extensions.arguments import INVALID_SYNTAX, NOT_LITERALS
from local_extensions.catalogue import UNSUPPORTED
from local_extensions.cron import DAY, FIELDS, WEEKDAY, ScheduleError
from local_extensions.errors import InvalidAnswersError
from local_extensions.plan import make_plan
from local_extensions.schedules import parse_schedule
from tests import test_docs, test_refusals
from tests.conftest import require_program
from tests.plan import test_beat, test_cron, test_queues, test_schedules
from tests.support.answers import DEFAULTS, ROOT
from tests.support.browser import find_chromium, open_page, run_chromium
from tests.support.project import BakedProject
from tests.support.variants import DEPENDENCIES, SHAPES, combinations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from local_extensions.cron import Field
    from tests.support.bakery import Bakery

pytestmark = pytest.mark.xdist_group("page")

Answers = dict[str, Any]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run a private Chromium for the module."""
    require_program(find_chromium(), "chromium")
    with run_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def parsers(browser: Browser) -> Iterator[Page]:
    """Open a page whose parsers the tests call."""
    with open_page(browser) as page:
        yield page


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """Open the page, and check at the end that it wrote nothing to the console and requested nothing."""
    with open_page(browser) as page:
        yield page


def test_the_data_of_the_page_is_current() -> None:
    assert DATA.read_text(encoding="utf-8") == format_data(), "run make answers-page"


# The parsers. All cases are one call of the browser.

CHECK = """(text) => {
  const encode = (value) => {
    if (typeof value === "bigint") return { int: String(value) };
    if (typeof value === "number") return { float: String(value) };
    if (Array.isArray(value)) return value.map(encode);
    if (value instanceof Map) return { dict: [...value].map(([key, item]) => [key, encode(item)]) };
    return value;
  };
  return JSON.stringify(JSON.parse(text).map((answers) => {
    const { errors, queues, jobs } = checkAnswers(answers);
    return {
      lines: errors.lines,
      queues: queues.map(({ name, module, concurrency, pool }) => [name, module, concurrency, pool]),
      jobs: jobs.map(({ name, arguments: found, schedule, queue }) => [
        name, found.map(([key, value]) => [key, encode(value)]), schedule.kind, schedule.text, schedule.words, queue,
      ]),
    };
  }));
}"""


def encode(value: object) -> object:
    """Return the value of an argument as CHECK encodes it."""
    match value:
        case bool() | None | str():
            return value
        case int():
            return {"int": str(value)}
        case float():
            return {"float": value}
        case list():
            return [encode(item) for item in value]
        case dict():
            return {"dict": [[key, encode(item)] for key, item in value.items()]}
    raise TypeError(value)


def check_with_template(answers: Answers) -> dict[str, Any]:
    """Return the errors, or the queues and jobs of the answers."""
    try:
        plan = make_plan(answers)
    except InvalidAnswersError as error:
        return {"lines": list(error.lines)}
    return {
        "lines": [],
        "queues": [[queue.name, queue.module, queue.concurrency, queue.pool] for queue in plan.queues],
        "jobs": [
            [
                job.name,
                [[item.name if item.keyword else "", encode(item.value)] for item in job.arguments],
                job.schedule.kind,
                job.schedule.text,
                job.schedule.words,
                job.queue,
            ]
            for job in plan.jobs
        ],
    }


def check_with_page(page: Page, cases: list[Answers]) -> list[dict[str, Any]]:
    """Return the errors, or the queues and jobs of each case."""
    # As text, because the protocol of the browser refuses lone surrogates.
    found: list[dict[str, Any]] = json.loads(page.evaluate(CHECK, json.dumps(cases)), object_hook=decode_float)
    return [{"lines": case["lines"]} if case["lines"] else case for case in found]


def decode_float(found: dict[str, Any]) -> dict[str, Any]:
    return {"float": float(found["float"])} if found.keys() == {"float"} else found


def find_differences(page: Page, cases: list[Answers]) -> list[tuple[Answers, Any, Any]]:
    """Return the cases that the page and the template parse differently, with both results."""
    expected = [check_with_template(case) for case in cases]
    return [
        (answers, wanted, found)
        for answers, wanted, found in zip(cases, expected, check_with_page(page, cases), strict=True)
        if wanted != found
    ]


def complete(**answers: object) -> Answers:
    return {**DEFAULTS, **answers}


def parameters(test: Any) -> list[Any]:
    """Return the first parameter of each case of a parametrized test."""
    (mark,) = (mark for mark in test.pytestmark if mark.name == "parametrize")
    return [case if isinstance(case, str) else case[0] for case in mark.args[1]]


def collect_documented_cases() -> list[Answers]:
    """Return the cases of the other tests: valid and invalid answers, and all errors in docs/questions.md."""
    cases: list[Answers] = [complete(), complete(queues="default")]
    cases += [complete(**dict(each.split("=", 1) for each in row[0][1:-1].split("` `"))) for row in test_docs.ERRORS]
    cases += [complete(**{name: answer}) for name, found in test_refusals.INVALID.items() for answer, _ in found]
    cases += [
        complete(description=text, author_name=text, project_name=text) for text in test_refusals.HOSTILE.values()
    ]
    cases += [complete(beat_jobs="", **shape) for shape in SHAPES.values() if "beat_jobs" not in shape]
    cases += [complete(**shape) for shape in SHAPES.values() if "beat_jobs" in shape]
    cases += [complete(beat_jobs="", **answers) for each in UNSUPPORTED for answers in each.examples]
    cases += [complete(**answers) for answers in combinations(list(DEPENDENCIES))]
    cases += [complete(**{name: word}) for name in ("examples", "kubernetes") for word in ("Yes", "OFF", "1", "x", "")]
    queues = [line for block in test_docs.parse_blocks("queues") for line in block.splitlines()]
    queues += parameters(test_queues.test_concurrency_and_pool_have_defaults)
    queues += parameters(test_queues.test_an_invalid_queue_is_rejected_with_the_piece_and_the_reason)
    queues += [",".join(f"q{number}" for number in range(size)) for size in (46, 500, 501)]
    cases += [complete(queues=answer, beat_jobs="") for answer in queues]
    cases += [complete(queues=answer, beat_jobs="", broker="sqs") for answer in queues]
    jobs = [*test_docs.parse_blocks("beat_jobs"), "none", " ;\n; "]
    jobs += parameters(test_beat.test_an_invalid_job_is_rejected_with_the_piece_and_the_reason)
    jobs += parameters(test_beat.test_an_unclosed_bracket_or_quote_is_rejected)
    jobs += [
        f"job({text}) = @daily"
        for text in parameters(test_beat.test_parameters_are_named_after_the_type_of_their_value)
    ]
    jobs += [";".join(f"a{number} = @daily" for number in range(5001))]
    schedules = [cell.strip("`") for cell, _ in test_docs.SCHEDULES]
    for test in (
        test_schedules.test_the_code_of_a_schedule,
        test_schedules.test_the_description_of_a_schedule,
        test_schedules.test_the_expiry_is_90_percent_of_the_gap,
        test_schedules.test_an_invalid_schedule_is_rejected_with_its_reason,
    ):
        schedules += parameters(test)
    schedules += ["*/60 * * * *", *(f"solar sunset {latitude} -2.00005" for latitude in (1.23456, 0.03125, -0.15625))]
    jobs += [f"job = {schedule}" for schedule in schedules]
    cases += [complete(queues=test_docs.QUEUES, beat_jobs=answer) for answer in jobs]
    cases += [complete(beat_jobs=f"job = {schedule}", beat_scheduler="redbeat") for schedule in schedules]
    cases += [complete(timezone=name) for name in ("Europe/Berlin", "europe/berlin", "US/Eastern", "+01:00", "GMT+0")]
    cases += [
        complete(extras=text)
        for text in ("none", "tracing , limits", "tracing, history", "limits,tracing", "a, b", ",")
    ]
    return cases


def test_the_page_and_the_template_parse_the_documented_cases_equally(parsers: Page) -> None:
    cases = collect_documented_cases()
    assert len(cases) > 500, len(cases)

    assert find_differences(parsers, cases) == []


# Tokens of Python, valid and invalid.
PIECES = (
    *(
        "1",
        "00",
        "01",
        "0x_1F",
        "0b2",
        "1_0",
        "1__0",
        ".5",
        "1.",
        "1e5",
        "1e",
        "2j",
        "True",
        "None",
        "...",
        "-1",
        "- +1",
    ),
    *("-(1)", "~1", "not", "'a'", '"b"', r"r'\d'", "b'x'", "f'{x}'", 'u"x"', "ur'x'", r"'\d'", r"'\x41'", r"'\u0041'"),
    *(
        r"'\101'",
        r"'\400'",
        r"'\ud800'",
        r"'\n'",
        r"'\é'",
        r"'a' '\ud800'",
        "'''c'''",
        "'a'\\\n",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ",",
        ":",
        "=",
    ),
    *("==", ":=", "a=1", "a=2", "b=", "**", "*", "x", "for", "if", "lambda", "+", ".", "#", "\\", "\n"),
)
# Pieces of answers.
SCRIBBLES = [
    *"abAZ09_-:@,;=()[]{}\"'\\#* \t\né\u202e\u0663\U0001f389",
    "->",
    "auto",
    "threads",
    "every ",
    "@daily",
    "1-5/2",
]
SCHEDULES = ["0 3 * * *", "every 90s", "@hourly", "*/5 * * * Mon-fri", "solar sunrise 1.5 -2", "0 0 31 2 *", "every 0m"]


def scribble(chosen: random.Random, pieces: Sequence[str], maximum: int) -> str:
    return "".join(chosen.choices(pieces, k=chosen.randint(0, maximum)))


def write_field(chosen: random.Random, field: Field) -> str:
    """Return a text of a cron field, which is usually valid."""

    def number() -> str:
        return chosen.choice([str(chosen.randint(field.minimum, field.maximum)), *field.names[:2]])

    parts = [
        chosen.choice(["*", number(), f"{number()}-{number()}", f"*/{number()}", f"{number()}-{number()}/{number()}"])
        for _ in range(chosen.choice([1, 1, 2]))
    ]
    return ",".join(parts)


def write_cron(chosen: random.Random) -> str:
    """Return a cron expression that restricts at most one of the day fields."""
    texts = [chosen.choice(["*", write_field(chosen, field)]) for field in FIELDS]
    texts[chosen.choice([DAY, WEEKDAY])] = "*"
    return " ".join(texts)


def write_job(chosen: random.Random) -> str:
    """Return a text of a job, with one random change in half of the texts."""
    arguments = chosen.choice(
        ["", "", f"({scribble(chosen, PIECES, 5)})", "(30, dry_run=False)", "(\"a; b -> c\", ['('])"]
    )
    schedule = chosen.choice([*SCHEDULES, write_cron(chosen)])
    queue = chosen.choice(["", " -> default", "->high-priority", " ->\tlow-priority ", " -> x"])
    text = f"{chosen.choice(['a', 'b-c', 'list', 'Report'])}{arguments}{chosen.choice(['=', ' = '])}{schedule}{queue}"
    position = chosen.randint(0, len(text))
    changed = text[:position] + scribble(chosen, SCRIBBLES, 2) + text[position + chosen.randint(0, 2) :]
    return chosen.choice([text, changed])


def collect_random_cases() -> list[Answers]:
    """Return random valid and invalid answers."""
    chosen = random.Random(1)  # noqa: S311
    queues = "default:4, high-priority:2, low_priority"
    names = ["", "Shop", "class", "Über 9", "9 lives", "tests", "a" * 90, "ﬁ", "x_", "İ", "a\u0378"]
    cases: list[Answers] = []
    for _ in range(400):
        separator = chosen.choice([";", "\n", " ; "])
        cases.append(complete(queues=queues, beat_jobs=separator.join(write_job(chosen) for _ in range(2))))
        cases.append(complete(queues=queues, beat_jobs=scribble(chosen, SCRIBBLES, 12), timezone=chosen.choice(names)))
        cases.append(complete(queues=", ".join(scribble(chosen, SCRIBBLES, 3) for _ in range(2)), beat_jobs=""))
        fields = [chosen.choice([write_field(chosen, field), scribble(chosen, SCRIBBLES, 3)]) for field in FIELDS]
        cases.append(complete(beat_jobs=f"job = {' '.join(fields)}", project_slug=chosen.choice(names)))
        cases.append(complete(beat_jobs=f"job = {write_cron(chosen)}", project_name=chosen.choice(names)))
        mail = f"{scribble(chosen, [*'ab.-_@', 'é'], 6)}@{scribble(chosen, [*'ab.-'], 6)}"
        cases.append(complete(author_email=mail, extras=scribble(chosen, ["tracing", "limits", ",", " ", "x"], 4)))
        cases.append(complete(task_time_limit=scribble(chosen, [*"0123456789", "-", " ", "\u0663"], 6)))
    # The browser's Unicode version is newer: it may print a character that Python escapes.
    return [case for case in cases if not any(map(is_unassigned, "".join(map(str, case.values()))))]


def is_unassigned(character: str) -> bool:
    return unicodedata.category(character) == "Cn"


# For an expression that is not a literal, or has invalid syntax, the page may report another error of the arguments.
EXPRESSION_ERROR = re.compile(f" (?:{INVALID_SYNTAX}|{NOT_LITERALS})\\. Example: .*")


def is_documented_difference(wanted: list[str], found: list[str]) -> bool:
    """Return whether two lists of errors differ only in errors of expressions: docs/answers/arguments.js."""
    return (
        wanted != found
        and len(wanted) == len(found)
        and all(
            line == other
            or (EXPRESSION_ERROR.search(line) and other.startswith(EXPRESSION_ERROR.split(line)[0] + " has "))
            for line, other in zip(wanted, found, strict=True)
        )
    )


def test_the_page_and_the_template_parse_random_answers_equally(parsers: Page) -> None:
    cases = collect_random_cases()
    assert len(cases) > 2000

    differences = find_differences(parsers, cases)
    assert [each for each in differences if not is_documented_difference(each[1]["lines"], each[2]["lines"])] == []
    # Few: a parser that always reported another error would be accepted.
    assert len(differences) < len(cases) / 20


def test_the_page_and_python_parse_literals_equally(parsers: Page) -> None:
    # Details of Python's syntax, in any combination.
    chosen = random.Random(1)  # noqa: S311
    texts = ["".join(chosen.choices(PIECES, k=chosen.randint(1, 6))) for _ in range(400)]
    texts += [f"[{first}, {second}]" for first in PIECES for second in PIECES if chosen.random() < 0.1]
    cases = [complete(queues="default", beat_jobs=f"job({text}) = @daily") for text in texts]

    differences = find_differences(parsers, cases)
    assert [each for each in differences if not is_documented_difference(each[1]["lines"], each[2]["lines"])] == []


def test_the_page_and_cookiecutter_compute_the_same_defaults(parsers: Page) -> None:
    context = json.loads((ROOT / "cookiecutter.json").read_text(encoding="utf-8"))
    given = [
        {},
        {"project_name": "Über Shop 2"},
        {"project_name": "class"},
        {"project_name": f"{31 * 'a'} b"},
        {"queues": "a:1, b-c:2@threads"},
    ]
    for answers in given:
        expected = prompt_for_config({"cookiecutter": {**context, **answers}}, no_input=True)
        expected = {name: answer for name, answer in expected.items() if not name.startswith("_")}
        assert parsers.evaluate("(answers) => completeAnswers(answers)", answers) == expected


# The next runs.

RUNS = """(cases) => cases.map(([schedule, after, timezone]) =>
    listRuns(parseSchedule(schedule), 1000 * after, timezone, 5).map((run) => run / 1000)
)"""
BERLIN = "Europe/Berlin"
ZONES = ("UTC", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Santiago")


def list_runs_of_celery(expression: str, after: datetime, timezone: str) -> list[datetime]:
    """Return the five runs of beat after a time, each computed from the previous one."""
    schedule: Any = crontab(**dict(zip(test_cron.ARGUMENTS, expression.split(), strict=True)))
    schedule.tz = ZoneInfo(timezone)
    runs = [after]
    for _ in range(5):
        last, delta, _ = schedule.remaining_delta(runs[-1])
        runs.append((last + delta).astimezone(UTC))
    return runs[1:]


def is_valid_cron(expression: str) -> bool:
    try:
        parse_schedule(expression)
    except ScheduleError:
        return False
    return True


def list_runs_of_page(page: Page, cases: list[tuple[str, datetime, str]]) -> list[list[datetime]]:
    found = page.evaluate(RUNS, [[schedule, after.timestamp(), timezone] for schedule, after, timezone in cases])
    return [[datetime.fromtimestamp(run, UTC) for run in runs] for runs in found]


# On 29 March 2026, clocks in Berlin go from 02:00 to 03:00, and on 25 October from 03:00 to 02:00.
RUNS_IN_BERLIN = {
    ("30 2 * * *", "2026-03-28T12:00+01:00"): ("2026-03-29T03:30+02:00", "2026-03-30T02:30+02:00"),
    ("*/30 * * * *", "2026-03-29T01:10+01:00"): ("2026-03-29T01:30+01:00", "2026-03-29T03:00+02:00"),
    # In the first of the two equal hours only.
    ("30 2 * * *", "2026-10-24T12:00+02:00"): ("2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"),
    ("*/30 * * * *", "2026-10-25T02:10+02:00"): ("2026-10-25T02:30+02:00", "2026-10-25T03:00+01:00"),
    ("0 0 29 feb *", "2026-01-01T00:00+01:00"): ("2028-02-29T00:00+01:00", "2032-02-29T00:00+01:00"),
}


def test_crons_run_at_these_times_in_berlin(parsers: Page) -> None:
    cases = [(expression, datetime.fromisoformat(after), BERLIN) for expression, after in RUNS_IN_BERLIN]
    found = list_runs_of_page(parsers, cases)

    expected = [[datetime.fromisoformat(run) for run in runs] for runs in RUNS_IN_BERLIN.values()]
    assert [runs[:2] for runs in found] == expected
    assert found == [list_runs_of_celery(*case) for case in cases]


def test_the_next_run_in_the_second_of_two_equal_hours_is_in_the_future(parsers: Page) -> None:
    # Celery 5.7 computes a time in the first of the two hours, which is in the past.
    after = datetime.fromisoformat("2026-10-25T02:10+01:00")
    ((first, second, *_),) = list_runs_of_page(parsers, [("*/30 * * * *", after, BERLIN)])

    assert first == datetime.fromisoformat("2026-10-25T02:30+01:00")
    assert second == datetime.fromisoformat("2026-10-25T03:00+01:00")


def test_the_page_and_celery_compute_the_same_runs(parsers: Page) -> None:
    chosen = random.Random(1)  # noqa: S311
    changes = [datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2026, 10, 25, 1, tzinfo=UTC)]
    nightly = ["30 2 * * *", "*/15 1,2,3 * * *", "0,59 */2 * * *", "15,45 0-3 * * *", "* 2 * * sun", "30 2 25,29 * *"]
    cases: list[tuple[str, datetime, str]] = []
    while len(cases) < 400:
        # Half of the times are close to a change of the clocks in Berlin.
        near = chosen.choice(changes) + timedelta(minutes=chosen.randint(-1500, 1500))
        far = changes[0] + timedelta(seconds=chosen.randint(0, 4 * 365 * 86400))
        expression, after = chosen.choice([write_cron(chosen), *nightly]), chosen.choice([near, far])
        timezone = chosen.choice([BERLIN, *ZONES])
        if is_valid_cron(expression) and not after.astimezone(ZoneInfo(timezone)).fold:
            cases.append((expression, after, timezone))
    expected = [list_runs_of_celery(*case) for case in cases]
    assert [
        (case, wanted, found)
        for case, wanted, found in zip(cases, expected, list_runs_of_page(parsers, cases), strict=True)
        if wanted != found
    ] == []


def test_an_interval_runs_from_the_start_of_beat_and_the_times_of_solar_events_are_unknown(parsers: Page) -> None:
    now = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    interval, solar = list_runs_of_page(parsers, [("every 90m", now, BERLIN), ("solar sunset 48.85 2.35", now, BERLIN)])

    assert interval == [now + number * timedelta(minutes=90) for number in range(1, 6)]
    assert solar == []


# The page as a visitor uses it.


def cell(page: Page, column: str, kind: str, row: int) -> Any:
    return page.get_by_label(f"{column} of {kind} {row}", exact=True)


def row_errors(page: Page, question: str, row: int) -> Any:
    return page.locator(f"#errors-{question}-{row - 1} li")


def test_the_command_has_the_answers_that_differ_from_the_defaults(page: Page) -> None:
    command = page.locator("#command")
    expect(command).to_have_text("cookiecutter gh:org/celery-template --no-input")

    page.get_by_label("Project name").fill("It's a shop")
    page.locator("#framework-django").check()
    page.locator("#kubernetes").check()
    page.locator("#extras-history").check()
    page.locator("#extras-tracing").check()
    page.get_by_label("Task time limit in seconds").fill("600")

    expect(page.get_by_label("Python package name")).to_have_value("it_s_a_shop")
    assert split_with_shell(command.inner_text()) == [
        *("cookiecutter", "gh:org/celery-template", "--no-input", "project_name=It's a shop", "framework=django"),
        *("task_time_limit=600", "kubernetes=true", "extras=tracing, history"),
    ]
    page.get_by_role("button", name="Reset all answers").click()
    expect(command).to_have_text("cookiecutter gh:org/celery-template --no-input")


def test_rows_of_queues_and_periodic_tasks_are_added_changed_and_removed(page: Page) -> None:
    page.get_by_role("button", name="Add a queue").click()
    page.keyboard.type("web-hooks")  # the name has the focus
    cell(page, "Concurrency", "queue", 4).fill("50")
    cell(page, "Pool", "queue", 4).select_option("threads")
    page.get_by_role("button", name="Remove high_priority").click()
    expect(page.locator("#queues")).to_have_value("default:4, low_priority:1, web-hooks:50@threads")

    page.get_by_role("button", name="Add a periodic task").click()
    expect(page.locator(".runs").nth(3)).to_contain_text("Runs every day at 03:00.")
    page.keyboard.type("send")
    cell(page, "Arguments", "periodic task", 4).fill("'a; b', limit=[1]")
    cell(page, "Schedule", "periodic task", 4).fill("every 90s")
    cell(page, "Queue", "periodic task", 4).select_option("web-hooks")
    jobs = page.locator("#beat_jobs")
    expect(jobs).to_have_value(re.compile(r"; send\('a; b', limit=\[1\]\) = every 90s -> web-hooks$"))

    # Periodic tasks keep their queue if it is renamed.
    cell(page, "Name", "queue", 3).fill("hooks")
    cell(page, "Name", "queue", 3).press("Tab")
    expect(jobs).to_have_value(re.compile("every 90s -> hooks$"))
    expect(page.locator("#status")).to_have_text("The answers are valid.")


def test_an_error_is_beside_its_row_until_it_is_corrected(page: Page) -> None:
    schedule, errors = cell(page, "Schedule", "periodic task", 1), row_errors(page, "beat_jobs", 1)
    schedule.fill("0 3 1 * mon")
    message = (
        "'cleanup(days=30) = 0 3 1 * mon -> low_priority' restricts both day of month and day of week: "
        f"{test_beat.BOTH_DAYS.partition(': ')[2]}. {test_beat.EXAMPLE}"
    )
    expect(errors).to_have_text([message])
    expect(schedule).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#errors")).to_have_text(f"beat_jobs: {message}")
    expect(page.locator("#copy-command")).to_be_disabled()

    # An unclosed bracket contains the following jobs, which stay rows.
    schedule.fill("0 3 1 * *")
    cell(page, "Arguments", "periodic task", 1).fill("[1")
    cell(page, "Arguments", "periodic task", 1).press("Tab")
    expect(errors).to_contain_text("has an unclosed bracket or quote in its arguments, or no '=' after them")
    expect(cell(page, "Name", "periodic task", 2)).to_have_value("health-check")

    cell(page, "Arguments", "periodic task", 1).fill("[1]")
    expect(errors).to_have_count(0)
    expect(page.locator("#copy-command")).to_be_enabled()

    cell(page, "Name", "queue", 2).fill("celery")
    expect(row_errors(page, "queues", 2)).to_have_text(
        ["'celery:2' has a reserved name: Celery uses names that begin with 'celery'. Example: emails:8, reports:2"]
    )


def test_an_unsupported_combination_is_explained_and_a_supported_answer_is_named(page: Page) -> None:
    page.locator("#beat_scheduler-database").check()
    errors = page.locator("#errors-beat_scheduler li")
    expect(errors).to_have_text(
        "'database' stores the schedule in Django's database and requires framework 'django'. Example: redbeat"
    )
    page.locator("#framework-django").check()
    expect(errors).to_have_count(0)


def test_the_next_runs_are_in_the_time_zone_of_the_answers(page: Page) -> None:
    page.clock.set_fixed_time("2026-10-24T12:00:00Z")
    page.get_by_label("Time zone of the beat schedule").fill("Europe/Berlin")
    runs = page.locator(".runs")

    expect(runs.nth(0)).to_contain_text("Runs every day at 03:00. Next:")
    expect(runs.nth(0).locator("time").nth(0)).to_have_text("Sun 2026-10-25 03:00 +01:00")
    expect(runs.nth(0).locator("time")).to_have_count(5)
    expect(runs.nth(1)).to_contain_text("If beat starts now:")
    expect(runs.nth(1).locator("time").nth(0)).to_have_text("Sat 2026-10-24 14:10 +02:00")
    cell(page, "Schedule", "periodic task", 3).fill("solar sunset 48.85 2.35")
    expect(runs.nth(2)).to_have_text("Runs at sunset (48.85, 2.35). The times are calculated by beat.")
    page.get_by_label("Time zone of the beat schedule").fill("Mars/Olympus")
    expect(runs.nth(0)).to_have_text("Runs every day at 03:00. This browser does not support the time zone.")


def test_a_pasted_text_replaces_the_rows(page: Page) -> None:
    page.get_by_text("Edit or paste as text").nth(0).click()
    page.locator("#queues").fill("emails:8,\n  crawl@gevent, x@fork")
    expect(cell(page, "Pool", "queue", 2)).to_have_value("gevent")
    expect(cell(page, "Pool", "queue", 3)).to_have_value("fork")
    expect(row_errors(page, "queues", 3)).to_have_count(1)
    # The default of the periodic tasks uses the last queue.
    expect(cell(page, "Queue", "periodic task", 1)).to_have_value("x")

    # A separator in a cell makes two rows.
    cell(page, "Name", "queue", 1).fill("emails, mail")
    cell(page, "Name", "queue", 1).press("Tab")
    expect(cell(page, "Name", "queue", 2)).to_have_value("mail")
    page.locator("#queues").fill("")
    expect(page.locator("#errors-queues li")).to_contain_text("'' is empty; define at least one queue")


def test_the_page_asks_each_question_with_named_controls_and_fits_a_narrow_screen(page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 800})
    asked = page.locator("[id^=question-]").evaluate_all("(all) => all.map((each) => each.id)")
    assert asked == [f"question-{name}" for name in DEFAULTS]
    controls = page.locator("input, select, textarea, button")

    assert controls.count() > 60
    names = controls.evaluate_all(
        "(all) => all.map((each) => each.labels?.length || each.ariaLabel || each.textContent)"
    )
    assert all(names)
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def split_with_shell(command: str) -> list[str]:
    """Return the words that a shell reads."""
    printed = subprocess.run(["sh", "-c", f"printf '%s\\0' {command}"], capture_output=True, check=True)
    return printed.stdout.decode().split("\0")[:-1]


def test_a_shell_reads_the_quoted_words(parsers: Page) -> None:
    words = ["a", "it's", "a b", '$HOME `id` \\ "', "é", "a\nb", "x=y", *test_refusals.HOSTILE.values()]

    quoted = parsers.evaluate("(words) => words.map(quoteForShell).join(' ')", words)
    assert split_with_shell(quoted) == words


ANSWERS_OF_A_VISITOR = {
    "project_name": test_refusals.HOSTILE["quotes"],
    "project_slug": "shop",
    "description": test_refusals.HOSTILE["jinja"],
    "author_name": test_refusals.HOSTILE["dollars"],
    "ci": "none",
    "queues": "emails:8, web-hooks:50@threads",
    "beat_jobs": "purge(\"it's; $HOME\", [1, {'a': None}]) = 0 3 * * mon -> web-hooks\npoll = every 90s",
    "timezone": "Europe/Berlin",
}


@pytest.mark.slow
def test_the_command_and_the_replay_file_generate_the_project_of_the_answers(
    page: Page, bake: Bakery, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, answer in ANSWERS_OF_A_VISITOR.items():
        if name == "ci":
            page.locator(f"#ci-{answer}").check()
        else:
            page.evaluate("(id) => document.getElementById(id).closest('details')?.setAttribute('open', '')", name)
            page.locator(f"#{name}").fill(answer)
    for name in ("examples", "monitoring"):
        page.locator(f"#{name}").uncheck()

    page.locator("#copy-command").click()
    expect(page.locator("#copy-command")).to_have_text("Copied")
    command = page.evaluate("navigator.clipboard.readText()")
    with page.expect_download() as started:
        page.get_by_role("button", name="Download").click()
    assert started.value.suggested_filename == "shop.json"
    started.value.save_as(tmp_path / "shop.json")
    page.locator("#copy-replay").click()
    expect(page.locator("#copy-replay")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == (tmp_path / "shop.json").read_text(encoding="utf-8")

    project = bake(**ANSWERS_OF_A_VISITOR, examples=False, monitoring=False)
    monkeypatch.chdir(tmp_path)
    for name, text in (("command", command), ("replay", page.locator("#replay-command").inner_text())):
        words = split_with_shell(text)
        assert words[:2] == ["cookiecutter", "gh:org/celery-template"]
        settings = ["--config-file", str(test_refusals.write_config(tmp_path)), "--output-dir", name]
        with bake.share_templates():
            ran = CliRunner().invoke(cookiecutter, [str(ROOT), *settings, *words[2:]])
        assert ran.exit_code == 0, ran.output
        generated = BakedProject(tmp_path / name / "shop", {})
        assert generated.files() == project.files()
        assert [path for path in project.files() if generated.read(path) != project.read(path)] == []
