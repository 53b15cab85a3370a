"""The language of the question `beat_jobs`: jobs, and their arguments."""

from __future__ import annotations

import json
import keyword
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from local_extensions.beat import JobAnswer, parse_jobs, pieces
from local_extensions.errors import EXAMPLES, Mistakes, Refused, shown
from local_extensions.names import job_problem, parameter_problem
from local_extensions.python_code import one_line_call
from local_extensions.queues import parse_queues
from tests.support.answers import mistakes_in, plan_of

QUEUES = parse_queues("default:4, high-priority:2, low_priority", Mistakes())
EXAMPLE = f"Write for example: {EXAMPLES['beat_jobs']}"

BOTH_DAYS = (
    "names days of the month and weekdays: Celery runs it on days that are both, where cron means either;"
    " use one of them, or two jobs"
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
nasty = st.sampled_from(["a;b", "-> x", "(", ")]}", "'", '"', '\\"', "\n", "=", "é", "\u202e", "{{ x }}", "\\", '"""'])
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63) + 1, 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
    nasty,
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.one_of(texts, nasty), inner, max_size=3),
    max_leaves=6,
)
job_names = st.from_regex(r"[a-z]([a-z0-9_-]{0,12}[a-z0-9])?", fullmatch=True).filter(
    lambda name: not job_problem(name)
)
keywords = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: not keyword.iskeyword(name) and not parameter_problem(name)
)
schedules = st.sampled_from(["0 3 * * *", "every 90s", "@hourly", "*/5 * * * mon-fri", "solar sunrise 1.5 -2"])


def parse(text: str) -> tuple[JobAnswer, ...]:
    mistakes = Mistakes()
    jobs = parse_jobs(text, QUEUES, mistakes)
    mistakes.refuse()
    return jobs


@st.composite
def job_texts(draw: st.DrawFn) -> str:
    arguments: list[tuple[str, Any]] = [("", value) for value in draw(st.lists(values, max_size=3))]
    arguments += draw(st.dictionaries(keywords, values, max_size=3)).items()
    head = draw(job_names)
    brackets: bool = draw(st.booleans())
    if arguments or brackets:
        head = one_line_call(head, arguments)
    queue = draw(st.sampled_from(["", " -> default", "->high-priority", " ->\tlow-priority "]))
    return f"{head}{draw(st.sampled_from([' = ', '=']))}{draw(schedules)}{queue}"


@settings(max_examples=150)
@given(st.lists(job_texts(), max_size=3), st.sampled_from([";", "\n", " ; ", "\r\n\r\n", ";\n"]))
def test_jobs_that_are_printed_read_as_the_same_jobs(written: list[str], separator: str) -> None:
    try:
        jobs = parse(separator.join(written))
    except Refused as refused:
        assert all("there twice" in line for line in refused.lines)
        return
    assert len(jobs) == len(written)
    assert parse("; ".join(job.text for job in jobs)) == jobs
    assert all(job.text.isprintable() for job in jobs)


@settings(max_examples=200)
@given(st.lists(values, max_size=4), st.dictionaries(keywords, values, max_size=4))
@example([0, 1.0, "", True, None, [], {}, 2, "number"], {"number": 3, "text_1": ""})
def test_arguments_arrive_as_they_were_written(positional: list[Any], named: dict[str, Any]) -> None:
    written = one_line_call("job", [*(("", value) for value in positional), *named.items()])
    (job,) = parse(f"{written} = @daily")
    assert repr([item.value for item in job.arguments if not item.keyword]) == repr(positional)
    assert repr({item.name: item.value for item in job.arguments if item.keyword}) == repr(named)
    names = [item.name for item in job.arguments]
    assert len(set(names)) == len(names)
    json.dumps([item.value for item in job.arguments], allow_nan=False).encode()


mangled = st.builds(
    lambda text, cut, length, put: text[:cut] + put + text[cut + length :],
    job_texts(),
    st.integers(0, 80),
    st.integers(0, 4),
    st.one_of(
        st.text(max_size=3), nasty, st.sampled_from(["lambda: 0", "f(1)", "(1,)", "{1}", "b''", "*a", "**a", "="])
    ),
)


@settings(max_examples=300)
@given(st.one_of(st.text(max_size=60), mangled, st.text(alphabet="ab(){}[]\"'\\,=->; \n1*@", max_size=40)))
@example("a(" + "[" * 3000 + ") = @daily")
@example("a(" + "-" * 1500 + "1) = @daily")
@example("a(" + "9" * 1900 + ") = @daily")
@example("a(0x" + "f" * 1900 + ") = @daily")
@example("a('\x00') = @daily")
@example("a('\ud800') = @daily")
@example("a('\\ud800') = @daily")
@example("a('\\d') = @daily")
@example("a(1e999) = @daily")
@example("a(-1e999) = @daily")
@example("a(-True) = @daily")
@example("a({**{}}) = @daily")
@example("a(1 is 1) = @daily")
def test_any_text_is_jobs_or_is_refused(text: str) -> None:
    try:
        jobs = parse(text)
    except Refused as refused:
        assert all(line.startswith("beat_jobs: '") and line.endswith(EXAMPLE) for line in refused.lines)
        assert all(line.isprintable() for line in refused.lines)
        return
    assert parse("; ".join(job.text for job in jobs)) == jobs


@given(st.text(alphabet="ab(){}[]\"'\\,=->; \n", max_size=60))
def test_no_part_of_a_text_is_lost_when_it_is_split_into_jobs(text: str) -> None:
    def letters(written: str) -> list[str]:
        return [character for character in written if character not in "; \n"]

    assert letters("".join(piece.text for piece in pieces(text))) == letters(text)


def test_separators_within_arguments_do_not_separate() -> None:
    (first, second) = parse(
        """say("a; b -> c = d\\"", ['(', {'k;': ')'}], to='x->y') = @daily -> high_priority; b=@hourly"""
    )
    assert [item.value for item in first.arguments] == ['a; b -> c = d"', ["(", {"k;": ")"}], "x->y"]
    assert (first.queue.name, second.queue.name) == ("high-priority", "default")


def test_arguments_may_go_over_lines() -> None:
    (job,) = parse("a(\n  1,\n  b=[2,\n 3],\n) = @daily")
    assert [item.value for item in job.arguments] == [1, [2, 3]]


def test_empty_jobs_are_passed_over_and_no_job_is_an_answer() -> None:
    assert [job.name for job in parse("a = @daily;\n\n; b = @daily;")] == ["a", "b"]
    assert parse("") == parse(" ;\n; ") == ()


@pytest.mark.parametrize(
    "text", ['a("x = @daily', "a([) = @daily; b = @daily", "a('x) = @daily\nb('y') = @daily", "a(1)"]
)
def test_a_bracket_that_is_not_closed_ends_with_the_text(text: str) -> None:
    why = "has no '=' after its arguments, or in them a bracket or a quote that is not closed"
    (line,) = mistakes_in(beat_jobs=text)
    assert line == f"beat_jobs: {shown(text)} {why}. {EXAMPLE}"


def parameters(text: str) -> list[str]:
    (job,) = parse(f"job({text}) = @daily")
    return [f"{item.name}: {item.annotation}" for item in job.arguments]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("30", ["number: int"]),
        ("+1", ["number: int"]),
        ("-1.5, 'a', True, None", ["number: float", "text: str", "flag: bool", "value: Any"]),
        ("1, 2.0, 'a'", ["number_1: int", "number_2: float", "text: str"]),
        ("1, number=2", ["number_1: int", "number: int"]),
        ("1, 2, number_1=3", ["number_2: int", "number_3: int", "number_1: int"]),
        ("[1, 2]", ["items: list[int]"]),
        ("[1, 'a'], []", ["items_1: list[Any]", "items_2: list[Any]"]),
        ("[[1]], [None]", ["items_1: list[list[int]]", "items_2: list[Any]"]),
        ("{'a': 1}, options={}", ["options_1: dict[str, Any]", "options: dict[str, Any]"]),
        ("", []),
    ],
)
def test_parameters_are_named_after_what_they_take(text: str, names: list[str]) -> None:
    assert parameters(text) == names


@given(st.lists(scalars, max_size=6), st.sets(keywords, max_size=4))
def test_the_signature_takes_the_call(positional: list[Any], named: set[str]) -> None:
    arguments = [*(("", value) for value in positional), *((name, 1) for name in sorted(named))]
    (job,) = plan_of(beat_jobs=f"{one_line_call('job', arguments)} = @daily").jobs
    scope: dict[str, Any] = {"Any": Any}
    exec(f"{job.signature}\n    pass\n", scope)  # noqa: S102
    exec(job.call, {job.module: SimpleNamespace(job=scope["job"])})  # noqa: S102


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("cleanup = 0 3 * *", "has 4 cron fields, and cron has 5: minute, hour, day of the month, month, weekday"),
        ("cleanup = 0 3 * * * *", "has 6 cron fields, and cron has 5: minute, hour, day of the month, month, weekday"),
        ("a = 60 3 * * *", "has '60' for the minute, which takes 0-59, *, */2 and lists"),
        ("a = 0 3 * foo *", "has 'foo' for the month, which takes 1-12, jan-dec, *, */2 and lists"),
        ("a = 0 3 \x00 * *", r"has '\x00' for the day of the month, which takes 1-31, *, */2 and lists"),
        ("a = 0 0 1 * mon", BOTH_DAYS),
        ("a = 0 0 31 2 *", "never runs: no month of these has that day"),
        ("a = every 0m", "has an interval that is not between 1 second and 365 days"),
        ("a = every 10", "has no whole number and unit (s, m, h or d) after 'every'"),
        ("a = @never", "has no known name after '@': it is one of @hourly, @daily, @weekly, @monthly"),
        ("a = ", "has no schedule after '='"),
        ("a = -> default", "has no schedule after '='"),
        ("a", "has no '=' and schedule after its name"),
        ("a -> default", "has a space"),
        (" = @daily", "has no name"),
        (
            "a = @daily -> nowhere",
            "names a queue after '->' that is not among the queues ('default', 'high_priority', 'low_priority')",
        ),
        (
            "a = @daily -> ",
            "names a queue after '->' that is not among the queues ('default', 'high_priority', 'low_priority')",
        ),
        ("import = @daily", "is a Python keyword, and the name becomes a Python name"),
        ("ping = @daily", "has the name of something else in the task's module"),
        ("shared-task = @daily", "has the name of something else in the task's module"),
        ("list = @daily", "has the name of a Python builtin"),
        ("Report = @daily", "has a bad name: it must begin with a letter a-z, and have only a-z, 0-9, - and _"),
        ("a" * 55 + " = @daily", "has a name of 55 characters, and 54 are the most"),
        ("a(print()) = @daily", "has arguments that are not Python literals"),
        ("a(yesterday) = @daily", "has 'yesterday', which is a name and not a literal: a text needs quotes"),
        ("a(x=y) = @daily", "has 'y', which is a name and not a literal: a text needs quotes"),
        ("a(-True) = @daily", "has arguments that are not Python literals"),
        ("a(-False) = @daily", "has arguments that are not Python literals"),
        ("a(~1) = @daily", "has arguments that are not Python literals"),
        ("a(-'x') = @daily", "has arguments that are not Python literals"),
        ("a(+True) = @daily", "has arguments that are not Python literals"),
        ("a(1 + 1) = @daily", "has arguments that are not Python literals"),
        ("a(f'{x}') = @daily", "has arguments that are not Python literals"),
        ("a(*[1]) = @daily", "has arguments that are not Python literals"),
        ("a(**{'b': 1}) = @daily", "has the argument '**': write each by name"),
        ("a((1, 2)) = @daily", "has a tuple or a set, which a message cannot carry: write a list"),
        ("a({1}) = @daily", "has a tuple or a set, which a message cannot carry: write a list"),
        ("a(b'x') = @daily", "has a value of type bytes, which a message cannot carry"),
        ("a(1j) = @daily", "has a value of type complex, which a message cannot carry"),
        ("a(...) = @daily", "has a value of type ellipsis, which a message cannot carry"),
        ("a({1: 2}) = @daily", "has a dict with a key that is not a text, which a message cannot carry"),
        ("a({'b': 1, 'b': 2}) = @daily", "has a dict with the same key twice"),
        ("a(1e999) = @daily", "has a number that a message cannot carry: it is too large"),
        ("a(9223372036854775808) = @daily", "has a number that a message cannot carry: it is too large"),
        ("a('\\ud800') = @daily", "has a text with half a character (a lone surrogate)"),
        ("a('\\d') = @daily", "has arguments that Python cannot read"),
        ("a(b=1, b=2) = @daily", "has the same argument twice"),
        ("a(class=1) = @daily", "has arguments that Python cannot read"),
        ("a(self=1) = @daily", "has the argument 'self': the task needs that name for itself"),
        ("a(log=1) = @daily", "has the argument 'log': the task needs that name for itself"),
        ("a(B=1) = @daily", "has the argument 'B': only a-z, 0-9 and _ make a parameter's name"),
        ("a(é=1) = @daily", "has the argument 'é': only a-z, 0-9 and _ make a parameter's name"),
        ("a(1)(2) = @daily", "has arguments that are not Python literals"),
        ("a(1) b = @daily", "has arguments that Python cannot read"),
        (f"a({'[' * 21}{']' * 21}) = @daily", "has lists or dicts more than 20 deep"),
        (f"a('{'x' * 2000}') = @daily", "is longer than 2000 characters"),
    ],
)
def test_a_wrong_job_is_told_with_the_piece_and_the_reason(text: str, why: str) -> None:
    lines = mistakes_in(beat_jobs=text)
    assert [line for line in lines if line.endswith(f"' {why}. {EXAMPLE}")], lines
    assert all(line.startswith(f"beat_jobs: '{text.strip()[:3]}") for line in lines if "\x00" not in text)


def test_the_same_name_twice_is_a_mistake_also_on_another_queue_and_with_a_dash() -> None:
    for text in ("a-b = @daily; a_b = @hourly", "a = @daily -> default; a(1) = @daily -> low_priority"):
        (line,) = mistakes_in(beat_jobs=text)
        assert line.endswith(f"' has a name that is there twice ('-' and '_' are one). {EXAMPLE}")


def test_a_mistake_in_a_queue_is_told_once_and_not_again_by_the_jobs_that_name_it() -> None:
    (line,) = mistakes_in(queues="default, emails:0", beat_jobs="a = @daily -> emails")
    assert line.startswith("queues: 'emails:0'")
    (line,) = mistakes_in(queues="", beat_jobs="a = @daily -> emails")
    assert line.startswith("queues: ''")


def test_all_mistakes_of_a_job_are_told_together() -> None:
    assert len(mistakes_in(beat_jobs="import(x) = 0 3 * * -> nowhere; b = every 1")) == 5


def test_5000_jobs_are_the_most() -> None:
    (line,) = mistakes_in(beat_jobs=";".join(f"a{number} = @daily" for number in range(5001)))
    assert line == f"beat_jobs: 'a5000 = @daily' is one too many: 5000 jobs are the most. {EXAMPLE}"


def test_a_dict_that_json_would_change_is_not_taken() -> None:
    (job,) = parse("a({'x': [1.5, None, True]}) = @daily")
    assert json.loads(json.dumps(job.arguments[0].value)) == job.arguments[0].value
