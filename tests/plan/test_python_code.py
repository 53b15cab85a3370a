"""Generated Python code: `ruff format` does not change it, and it evaluates to the values of the answers."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from local_extensions.names import MAX_SLUG_LENGTH
from local_extensions.python_code import (
    LINE_LENGTH,
    format_call,
    format_flat,
    format_signature,
    format_string,
    measure_width,
    one_line_if_short,
    python,
)
from tests.plan.test_beat import job_texts, nasty, values
from tests.support.answers import list_errors, plan_of
from tests.support.render import PROJECT, list_paths, render, render_queue_files

RUFF_FORMAT = [sys.executable, "-m", "ruff", "format", "--isolated", f"--line-length={LINE_LENGTH}"]

long_texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=20, max_size=90)
long_values = st.recursive(
    st.one_of(long_texts, nasty, st.integers(), st.floats(allow_nan=False, allow_infinity=False)),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.one_of(nasty, long_texts), inner, max_size=4),
    max_leaves=8,
)


def assert_formatted(*codes: str) -> None:
    """Assert that `ruff format` changes nothing in these modules."""
    with TemporaryDirectory() as folder:
        for number, code in enumerate(codes):
            Path(folder, f"module_{number}.py").write_text(code, encoding="utf-8", newline="\n")
        ruff = subprocess.run([*RUFF_FORMAT, "--diff", folder], capture_output=True, text=True, check=False)
    assert ruff.returncode == 0, ruff.stdout[:10_000] + ruff.stderr


@given(st.one_of(st.text(), nasty))
@example("'\"")
@example("it's")
@example('say "x"')
@example("\ud800")
def test_a_string_literal_round_trips_on_one_printable_line(text: str) -> None:
    assert ast.literal_eval(format_string(text)) == text
    assert format_string(text).isprintable()


@given(long_values, st.integers(0, 5).map(lambda steps: 4 * steps))
def test_a_literal_round_trips_with_any_indentation(value: Any, indent: int) -> None:
    assert repr(ast.literal_eval(python(value, indent, indent))) == repr(value)
    assert repr(ast.literal_eval(format_flat(value))) == repr(value)


def test_literals_calls_and_signatures_are_formatted() -> None:
    # One ruff process for all examples. A process per example would take minutes.
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
        functions.append(f"\n\ndef test() -> None:\n    {format_call('module.function', pairs, indent=4, used=4)}\n")
        functions.append(f"\n\n{format_signature('function', parameters)}\n    pass\n")

    write()
    assert_formatted("".join(assignments + functions))


def module_codes(**answers: object) -> list[str]:
    """Return the code of the task modules, of their tests and of the schedule, if any."""
    tasks = render_queue_files("src/<slug>/tasks/{queue}.py", **answers)
    tests = render_queue_files("tests/tasks/test_{queue}.py", **answers)
    schedule = [render("_features/beat/src/<slug>/schedule.py", **answers)] if plan_of(**answers).jobs else []
    return [*tasks.values(), *tests.values(), *schedule]


def test_starter_tasks_their_tests_and_schedule_entries_are_formatted() -> None:
    codes: list[str] = []

    @settings(max_examples=100, database=None)
    @given(st.lists(job_texts(), max_size=3), st.integers(1, MAX_SLUG_LENGTH), st.booleans())
    def write(texts: list[str], slug_length: int, results: bool) -> None:
        answers = {
            "project_slug": "s" * slug_length,
            "beat_jobs": ";".join(texts),
            "result_backend": "redis" if results else "none",
        }
        if not list_errors(**answers):
            codes.extend(module_codes(**answers))

    write()
    assert len(codes) > 200
    assert_formatted(*codes)


def test_code_near_the_line_length_is_formatted() -> None:
    assignments: list[str] = []
    functions: list[str] = []
    modules: list[str] = []
    for length in range(40, 121):
        text = "x" * length
        pairs = [("", [text]), ("k", {"k": [text]})]
        parameters = ["number_1: int", "*", "dry_run: dict[str, Any]"]
        literals = ([[text]], [{"k": [text]}], {"k": {"k": text, "l": 1}}, (1, text))
        assignments.extend(f"x = {python(value, used=4)}\n" for value in literals)
        functions.append(f"def test() -> None:\n    {format_call('f', pairs, indent=4, used=4)}\n")
        functions.append(f"{format_signature('f' * (length - 20), parameters)}\n    pass\n")
        # Combine items of two and of three columns to get each length.
        minutes = ",".join(["1"] * (length % 3) + ["10"] * (length // 3)) or "*"
        first = f"a('{text}', k='{text}') = {minutes} 1,2,3,4,5 * * *"
        second = f"{'b' * min(length - 30, 54)}(k1=1, k2={{}}) = @daily"
        third = f"{'c' * min(length - 30, 54)}({'k' * (length // 3)}=1) = @daily"
        modules += module_codes(queues="q" * 54, beat_jobs=f"{first}; {second}; {third}")
    assert_formatted("".join([*assignments, *(f"\n\n{function}" for function in functions)]), *modules)


ONE_LINE_IF_SHORT = [
    path
    for path in list_paths()
    if path.endswith(".py")
    # The partials of celeryconfig/ also use the filter.
    and re.search(r"one_line_if_short|celeryconfig/", (PROJECT / path).read_text(encoding="utf-8"))
]
"""The modules of a project that use the filter `one_line_if_short`."""


def test_statements_with_the_package_name_are_formatted_for_each_length() -> None:
    codes: set[str] = set()
    assert len(ONE_LINE_IF_SHORT) > 8
    for framework, broker, length in product(
        ["none", "fastapi", "django"], ["redis", "sqs"], range(1, MAX_SLUG_LENGTH + 1)
    ):
        answers: dict[str, object] = {"framework": framework, "broker": broker, "project_slug": "s" * length}
        features = plan_of(**answers).features
        for path in ONE_LINE_IF_SHORT:
            folder, feature, *_ = path.split("/")
            if folder != "_features" or features[feature]:
                codes.add(render(path, **answers))
    assert_formatted(*codes)


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ('x = [\n    "a",\n    "b",\n]\n', 'x = ["a", "b"]\n'),
        ('x = (\n    "a",\n    *b,\n)\n', 'x = ("a", *b)\n'),
        ('    "key": {\n        "a": 1,\n    },\n', '    "key": {"a": 1},\n'),
        ('    f(\n        "x",\n        a={\n            "b": b,\n        },\n    )\n', '    f("x", a={"b": b})\n'),
        ("from a import (\n    b,\n    c,\n)\n", "from a import b, c\n"),
        ("x = 1\n", "x = 1\n"),
    ],
)
def test_a_short_statement_is_joined_to_one_line(code: str, line: str) -> None:
    assert one_line_if_short(code) == line


def test_a_joined_line_has_at_most_120_columns_including_reserved_ones() -> None:
    code = f'x = [\n    "{"y" * 109}",\n    1,\n]\n'
    line = f'x = ["{"y" * 109}", 1]\n'
    assert len(line) == LINE_LENGTH + 1  # with the line break
    assert one_line_if_short(code) == line
    assert one_line_if_short(code, reserved=1) == code
    assert one_line_if_short(code.replace("1", "12")) == code.replace("1", "12")


@pytest.mark.parametrize(
    ("opening", "closing"), [("value = [", "]"), ("    function(", "    )"), ("from package import (", ")")]
)
def test_ruff_format_joins_the_same_statements(opening: str, closing: str) -> None:
    indent = " " * (len(opening) - len(opening.lstrip()))
    lines = ("".join(f"{indent}    {'a' * size},\n" for size in (20, 20, length)) for length in range(50, 71))
    codes = [f"{opening}\n{inside}{closing}\n" for inside in lines]
    mark = f"{indent}# ---\n"
    module = "if True:\n" * bool(indent) + "".join(mark + code for code in codes)
    # Without magic trailing commas, ruff joins each statement that fits.
    ruff = [*RUFF_FORMAT, "--config=format.skip-magic-trailing-comma=true", "-"]
    formatted = subprocess.run(ruff, input=module, capture_output=True, text=True, check=True).stdout
    short = [statement.strip("\n") for statement in formatted.split(mark)[1:]]
    found = [one_line_if_short(code).removesuffix("\n") for code in codes]

    assert {statement.count("\n") > 0 for statement in short} == {True, False}
    for code, expected, statement in zip(codes, short, found, strict=True):
        assert statement == (code.removesuffix("\n") if "\n" in expected else expected)


def test_a_literal_is_split_at_121_columns() -> None:
    for text, lines in (("x" * 112, 1), ("x" * 113, 3), ("é" * 56, 1), ("é" * 57, 3)):
        value = [text]
        assert python(value, used=4).count("\n") + 1 == lines
        assert_formatted(f"x = {python(value, used=4)}\n")


def test_non_ascii_characters_count_as_two_columns() -> None:
    assert measure_width("aé日") == 5


def test_a_nested_literal_takes_linear_time() -> None:
    value: Any = "x"
    for _ in range(19):
        value = [value, {"key": "y" * 90}]
    assert ast.literal_eval(python(value)) == value
