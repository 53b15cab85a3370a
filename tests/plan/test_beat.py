"""The parser for `beat_jobs`: jobs and their arguments."""

from __future__ import annotations

import json
import keyword
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from local_extensions.beat import JobAnswer, parse_jobs, split_jobs
from local_extensions.errors import EXAMPLES, AnswerErrors, InvalidAnswersError, quote_piece
from local_extensions.names import find_job_name_problem, find_parameter_name_problem
from local_extensions.python_code import format_one_line_call
from local_extensions.queues import parse_queues
from tests.support.answers import list_errors, plan_of

QUEUES = parse_queues("default:4, high-priority:2, low_priority", AnswerErrors())
EXAMPLE = f"Example: {EXAMPLES['beat_jobs']}"

BOTH_DAYS = (
    "restricts both day of month and day of week: Celery requires both to match, cron only one;"
    " use one field, or two jobs"
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
    lambda name: not find_job_name_problem(name)
)
keywords = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: not keyword.iskeyword(name) and not find_parameter_name_problem(name)
)
schedules = st.sampled_from(["0 3 * * *", "every 90s", "@hourly", "*/5 * * * mon-fri", "solar sunrise 1.5 -2"])


def parse(text: str) -> tuple[JobAnswer, ...]:
    errors = AnswerErrors()
    jobs = parse_jobs(text, QUEUES, errors)
    errors.raise_if_any()
    return jobs


@st.composite
def job_texts(draw: st.DrawFn) -> str:
    arguments: list[tuple[str, Any]] = [("", value) for value in draw(st.lists(values, max_size=3))]
    arguments += draw(st.dictionaries(keywords, values, max_size=3)).items()
    head = draw(job_names)
    brackets: bool = draw(st.booleans())
    if arguments or brackets:
        head = format_one_line_call(head, arguments)
    queue = draw(st.sampled_from(["", " -> default", "->high-priority", " ->\tlow-priority "]))
    return f"{head}{draw(st.sampled_from([' = ', '=']))}{draw(schedules)}{queue}"


@settings(max_examples=150)
@given(st.lists(job_texts(), max_size=3), st.sampled_from([";", "\n", " ; ", "\r\n\r\n", ";\n"]))
def test_job_text_round_trips(written: list[str], separator: str) -> None:
    try:
        jobs = parse(separator.join(written))
    except InvalidAnswersError as error:
        assert all("has a duplicate name" in line for line in error.lines)
        return
    assert len(jobs) == len(written)
    assert parse("; ".join(job.text for job in jobs)) == jobs
    assert all(job.text.isprintable() for job in jobs)


@settings(max_examples=200)
@given(st.lists(values, max_size=4), st.dictionaries(keywords, values, max_size=4))
@example([0, 1.0, "", True, None, [], {}, 2, "number"], {"number": 3, "text_1": ""})
def test_argument_values_are_preserved(positional: list[Any], named: dict[str, Any]) -> None:
    written = format_one_line_call("job", [*(("", value) for value in positional), *named.items()])
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
def test_any_text_is_parsed_or_rejected_as_jobs(text: str) -> None:
    try:
        jobs = parse(text)
    except InvalidAnswersError as error:
        assert all(line.startswith("beat_jobs: '") and line.endswith(EXAMPLE) for line in error.lines)
        assert all(line.isprintable() for line in error.lines)
        return
    assert parse("; ".join(job.text for job in jobs)) == jobs


@given(st.text(alphabet="ab(){}[]\"'\\,=->; \n", max_size=60))
def test_splitting_jobs_loses_no_text(text: str) -> None:
    def letters(written: str) -> list[str]:
        return [character for character in written if character not in "; \n"]

    assert letters("".join(piece.text for piece in split_jobs(text))) == letters(text)


def test_separators_in_arguments_are_ignored() -> None:
    (first, second) = parse(
        """say("a; b -> c = d\\"", ['(', {'k;': ')'}], to='x->y') = @daily -> high_priority; b=@hourly"""
    )
    assert [item.value for item in first.arguments] == ['a; b -> c = d"', ["(", {"k;": ")"}], "x->y"]
    assert (first.queue.name, second.queue.name) == ("high-priority", "default")


def test_arguments_may_contain_line_breaks() -> None:
    (job,) = parse("a(\n  1,\n  b=[2,\n 3],\n) = @daily")
    assert [item.value for item in job.arguments] == [1, [2, 3]]


def test_empty_jobs_are_skipped_and_jobs_are_optional() -> None:
    assert [job.name for job in parse("a = @daily;\n\n; b = @daily;")] == ["a", "b"]
    assert parse("") == parse(" ;\n; ") == ()


@pytest.mark.parametrize(
    "text", ['a("x = @daily', "a([) = @daily; b = @daily", "a('x) = @daily\nb('y') = @daily", "a(1)"]
)
def test_an_unclosed_bracket_or_quote_is_rejected(text: str) -> None:
    problem = "has an unclosed bracket or quote in its arguments, or no '=' after them"
    (line,) = list_errors(beat_jobs=text)
    assert line == f"beat_jobs: {quote_piece(text)} {problem}. {EXAMPLE}"


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
def test_parameters_are_named_after_the_type_of_their_value(text: str, names: list[str]) -> None:
    assert parameters(text) == names


@given(st.lists(scalars, max_size=6), st.sets(keywords, max_size=4))
def test_the_signature_accepts_the_call(positional: list[Any], named: set[str]) -> None:
    arguments = [*(("", value) for value in positional), *((name, 1) for name in sorted(named))]
    (job,) = plan_of(beat_jobs=f"{format_one_line_call('job', arguments)} = @daily").jobs
    scope: dict[str, Any] = {"Any": Any}
    exec(f"{job.signature}\n    pass\n", scope)  # noqa: S102
    exec(job.call, {job.module: SimpleNamespace(job=scope["job"])})  # noqa: S102


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("cleanup = 0 3 * *", "has 4 cron fields instead of 5 (minute, hour, day of month, month, day of week)"),
        ("cleanup = 0 3 * * * *", "has 6 cron fields instead of 5 (minute, hour, day of month, month, day of week)"),
        ("a = 60 3 * * *", "has the invalid minute '60' (allowed: 0-59, *, */2 and lists)"),
        ("a = 0 3 * foo *", "has the invalid month 'foo' (allowed: 1-12, jan-dec, *, */2 and lists)"),
        ("a = 0 3 \x00 * *", r"has the invalid day of month '\x00' (allowed: 1-31, *, */2 and lists)"),
        ("a = 0 0 1 * mon", BOTH_DAYS),
        ("a = 0 0 31 2 *", "never runs: the day does not occur in these months"),
        ("a = every 0m", "has an interval out of range (1 second to 365 days)"),
        ("a = every 10", "has an invalid interval after 'every'; write a whole number and s, m, h or d"),
        ("a = @never", "has an unknown schedule after '@' (choose from @hourly, @daily, @weekly, @monthly)"),
        ("a = ", "has no schedule after '='"),
        ("a = -> default", "has no schedule after '='"),
        ("a", "has no schedule; write name = schedule"),
        ("a -> default", "has a space in its name"),
        (" = @daily", "has no name"),
        (
            "a = @daily -> nowhere",
            "has an unknown queue after '->' (choose from 'default', 'high_priority', 'low_priority')",
        ),
        (
            "a = @daily -> ",
            "has an unknown queue after '->' (choose from 'default', 'high_priority', 'low_priority')",
        ),
        ("import = @daily", "has an invalid name: it is a Python keyword"),
        ("ping = @daily", "has a reserved name: task modules use it"),
        ("shared-task = @daily", "has a reserved name: task modules use it"),
        ("list = @daily", "has a reserved name: it is a Python built-in"),
        ("Report = @daily", "has an invalid name: use only a-z, 0-9, - and _, and begin with a letter"),
        ("a" * 55 + " = @daily", "has a name of 55 characters; the maximum is 54"),
        ("a(print()) = @daily", "has arguments that are not Python literals"),
        ("a(yesterday) = @daily", "has the name 'yesterday', which is not a literal; put strings in quotes"),
        ("a(x=y) = @daily", "has the name 'y', which is not a literal; put strings in quotes"),
        ("a(-True) = @daily", "has arguments that are not Python literals"),
        ("a(-False) = @daily", "has arguments that are not Python literals"),
        ("a(~1) = @daily", "has arguments that are not Python literals"),
        ("a(-'x') = @daily", "has arguments that are not Python literals"),
        ("a(+True) = @daily", "has arguments that are not Python literals"),
        ("a(1 + 1) = @daily", "has arguments that are not Python literals"),
        ("a(f'{x}') = @daily", "has arguments that are not Python literals"),
        ("a(*[1]) = @daily", "has arguments that are not Python literals"),
        ("a(**{'b': 1}) = @daily", "has arguments unpacked with '**'; write each one as name=value"),
        ("a((1, 2)) = @daily", "has a tuple or a set, which JSON does not support; use a list"),
        ("a({1}) = @daily", "has a tuple or a set, which JSON does not support; use a list"),
        ("a(b'x') = @daily", "has a value of type bytes, which JSON does not support"),
        ("a(1j) = @daily", "has a value of type complex, which JSON does not support"),
        ("a(...) = @daily", "has a value of type ellipsis, which JSON does not support"),
        ("a({1: 2}) = @daily", "has a dict key that is not a string, which JSON does not support"),
        ("a({'b': 1, 'b': 2}) = @daily", "has a dict with a duplicate key"),
        ("a(1e999) = @daily", "has a number that is out of range"),
        ("a(9223372036854775808) = @daily", "has a number that is out of range"),
        ("a('\\ud800') = @daily", "has a string with a lone surrogate"),
        ("a('\\d') = @daily", "has invalid Python syntax in its arguments"),
        ("a(b=1, b=2) = @daily", "has a duplicate keyword argument"),
        ("a(class=1) = @daily", "has invalid Python syntax in its arguments"),
        ("a(self=1) = @daily", "has the invalid argument name 'self': it is reserved"),
        ("a(log=1) = @daily", "has the invalid argument name 'log': it is reserved"),
        ("a(__debug__=1) = @daily", "has the invalid argument name '__debug__': it is reserved"),
        ("a(\uff43lass=1) = @daily", "has the invalid argument name 'class': it is a Python keyword"),
        (
            "a(B=1) = @daily",
            "has the invalid argument name 'B': use only a-z, 0-9 and _, and do not begin with a digit",
        ),
        (
            "a(é=1) = @daily",
            "has the invalid argument name 'é': use only a-z, 0-9 and _, and do not begin with a digit",
        ),
        ("a(1)(2) = @daily", "has arguments that are not Python literals"),
        ("a(1) b = @daily", "has invalid Python syntax in its arguments"),
        (f"a({'[' * 21}{']' * 21}) = @daily", "has lists or dicts nested more than 20 levels deep"),
        (f"a('{'x' * 2000}') = @daily", "has 2014 characters; the maximum is 2000"),
    ],
)
def test_an_invalid_job_is_rejected_with_the_piece_and_the_reason(text: str, problem: str) -> None:
    lines = list_errors(beat_jobs=text)
    assert [line for line in lines if line.endswith(f"' {problem}. {EXAMPLE}")], lines
    assert all(line.startswith(f"beat_jobs: '{text.strip()[:3]}") for line in lines if "\x00" not in text)


def test_a_duplicate_job_name_is_rejected_on_any_queue_and_with_a_dash() -> None:
    for text in ("a-b = @daily; a_b = @hourly", "a = @daily -> default; a(1) = @daily -> low_priority"):
        (line,) = list_errors(beat_jobs=text)
        assert line.endswith(f"' has a duplicate name ('-' and '_' are equivalent). {EXAMPLE}")


def test_an_invalid_queue_is_one_error_even_if_a_job_uses_it() -> None:
    (line,) = list_errors(queues="default, emails:0", beat_jobs="a = @daily -> emails")
    assert line.startswith("queues: 'emails:0'")
    (line,) = list_errors(queues="", beat_jobs="a = @daily -> emails")
    assert line.startswith("queues: ''")


def test_all_errors_of_a_job_are_reported_together() -> None:
    assert len(list_errors(beat_jobs="import(x) = 0 3 * * -> nowhere; b = every 1")) == 5


def test_the_maximum_is_5000_jobs() -> None:
    (line,) = list_errors(beat_jobs=";".join(f"a{number} = @daily" for number in range(5001)))
    assert line == f"beat_jobs: 'a5000 = @daily' exceeds the maximum of 5000 jobs. {EXAMPLE}"


def test_a_dict_is_unchanged_by_json() -> None:
    (job,) = parse("a({'x': [1.5, None, True]}) = @daily")
    assert json.loads(json.dumps(job.arguments[0].value)) == job.arguments[0].value
