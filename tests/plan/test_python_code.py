"""Python that we write is what `ruff format` would have written, and means what was asked for."""

from __future__ import annotations

import ast
import subprocess
import sys
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from local_extensions.literals import LINE_LENGTH, call, flat, python, signature, string, width
from tests.plan.test_beat import job_texts, nasty, values
from tests.support.answers import mistakes_in, plan_of

RUFF = [sys.executable, "-m", "ruff", "format", "--isolated", f"--line-length={LINE_LENGTH}", "--diff", "-"]

long_texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=20, max_size=90)
long_values = st.recursive(
    st.one_of(long_texts, nasty, st.integers(), st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.one_of(nasty, long_texts), inner, max_size=4),
    max_leaves=8,
)


def assert_formatted(code: str) -> None:
    """Ruff would change nothing in it."""
    ruff = subprocess.run(RUFF, input=code, capture_output=True, text=True, check=False, encoding="utf-8")
    assert ruff.returncode == 0, ruff.stdout + ruff.stderr


@given(st.one_of(st.text(), nasty))
@example("'\"")
@example("it's")
@example('say "x"')
@example("\ud800")
def test_a_string_is_read_back_as_it_was_and_stands_on_one_printable_line(text: str) -> None:
    assert ast.literal_eval(string(text)) == text
    assert string(text).isprintable()


@given(long_values, st.integers(0, 5).map(lambda steps: 4 * steps))
def test_a_literal_is_read_back_as_it_was_however_it_is_spread(value: Any, indent: int) -> None:
    assert repr(ast.literal_eval(python(value, indent, indent))) == repr(value)
    assert repr(ast.literal_eval(flat(value))) == repr(value)


def test_ruff_format_would_change_nothing() -> None:
    # One run of ruff over all examples: a run for each would take minutes.
    assignments: list[str] = []
    functions: list[str] = []

    @settings(max_examples=150, database=None)
    @given(st.one_of(values, long_values), st.lists(st.one_of(values, long_values), max_size=3))
    def write(value: Any, more: list[Any]) -> None:
        pairs = [("", value), *((f"name_{number}", item) for number, item in enumerate(more))]
        parameters = [f"a_parameter_with_a_long_name_{number}: dict[str, Any]" for number in range(len(more) + 1)]
        entry = python([value, *more], indent=8, used=17)
        assignments.append(f"x = {python(value, used=4)}\n")
        assignments.append(f'x = {{\n    "key": {{\n        "args": {entry},\n    }},\n}}\n')
        functions.append(f"\n\ndef test() -> None:\n    {call('module.function', pairs, indent=4, used=4)}\n")
        functions.append(f"\n\n{signature('function', parameters)}\n    pass\n")

    write()
    assert_formatted("".join(assignments + functions))


def test_stubs_and_schedule_entries_stand_as_ruff_format_leaves_them() -> None:
    stubs: list[str] = []
    entries: list[str] = []

    @settings(max_examples=100, database=None)
    @given(job_texts())
    def write(text: str) -> None:
        if mistakes_in(beat_jobs=text):
            return
        (job,) = plan_of(beat_jobs=text).jobs
        stub = job.stub
        stubs.append(f'\n\n{stub.decorator}\n{stub.signature}\n    """{stub.doc}"""\n    {stub.body}\n')
        stubs.append(f"\n\ndef test_{stub.test_name}() -> None:\n    {stub.test_body}\n")
        entry = "".join(f'        "{name}": {code},\n' for name, code in job.entry)
        entries.append(f"    {python(job.key)}: {{\n{entry}    }},\n")

    write()
    assert_formatted("x = 0\n" + "".join(stubs) + "\n\nSCHEDULE = {\n" + "".join(entries) + "}\n")


def test_at_every_length_around_the_end_of_a_line_ruff_would_break_where_we_do() -> None:
    entries: list[str] = []
    assignments: list[str] = []
    functions: list[str] = []
    for length in range(40, 121):
        text = "x" * length
        pairs = [("", [text]), ("k", {"k": [text]})]
        parameters = ["number_1: int", "*", "dry_run: dict[str, Any]"]
        literals = ([[text]], [{"k": [text]}], {"k": {"k": text, "l": 1}})
        assignments.extend(f"x = {python(value, used=4)}\n" for value in literals)
        functions.append(f"def test() -> None:\n    {call('f', pairs, indent=4, used=4)}\n")
        functions.append(f"{signature('f' * (length - 20), parameters)}\n    pass\n")
        # Pieces of two and of three columns make every length.
        minutes = ",".join(["1"] * (length % 3) + ["10"] * (length // 3)) or "*"
        first = f"a('{text}', k='{text}') = {minutes} 1,2,3,4,5 * * *"
        second = f"{'b' * min(length - 30, 54)}(k1=1, k2={{}}) = @daily"
        for job in plan_of(queues="q" * 54, beat_jobs=f"{first}; {second}").jobs:
            entry = "".join(f'        "{name}": {value},\n' for name, value in job.entry)
            entries.append(f"    {python(job.key)}: {{\n{entry}    }},\n")
            functions.append(f"{job.stub.signature}\n    {job.stub.body}\n    {job.stub.test_body}\n")
    code = ["SCHEDULE = {\n", *entries, "}\n", *assignments, *(f"\n\n{function}" for function in functions)]
    assert_formatted("".join(code))


def test_a_line_that_just_fits_stays_one_line_and_one_column_more_does_not() -> None:
    for text, lines in (("x" * 112, 1), ("x" * 113, 3), ("é" * 56, 1), ("é" * 57, 3)):
        value = [text]
        assert python(value, used=4).count("\n") + 1 == lines
        assert_formatted(f"x = {python(value, used=4)}\n")


def test_what_may_be_wide_counts_as_wide() -> None:
    assert width("aé日") == 5


def test_a_deep_value_is_written_in_linear_time() -> None:
    value: Any = "x"
    for _ in range(19):
        value = [value, {"key": "y" * 90}]
    assert ast.literal_eval(python(value)) == value
