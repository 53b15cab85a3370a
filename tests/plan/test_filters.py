"""Each filter round-trips: a parser of the format returns the original value."""

from __future__ import annotations

import ast
import html
import json
import re
import tomllib

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from local_extensions import filters
from local_extensions.answers import FORBIDDEN_CHARACTERS
from local_extensions.extension import FILTERS
from tests.plan.test_python_code import assert_formatted

HOSTILE = [
    'it\'s "quoted"',
    '"',
    '""""',
    'ends with a quote"',
    'ends with a backslash and a quote\\"',
    "ends with a backslash\\",
    'three """ quotes',
    "back\\slash \\n \\u0041 \\\\",
    "# no comment #",
    "100 % of $HOME and ${HOME} $$ %h %%",
    "{{ 7 * 7 }} {% raw %} {# x #} }}",
    "<script>alert(1)</script> &amp; &lt;",
    "`code` *stars* _lines_ ~~no~~ [a](b) ![c](d) | pipe",
    "a_b __init__ _x_ x_",
    "- item",
    "+ item",
    "1. item",
    "12) item",
    "> quote",
    "=== x ===",
    "C # # ##",
    "C ##",
    "a < b > c & d <3 <a@b.c> <!-- x",
    "]: [x]: http://example.com",
    "a * b ** c",
    ":",
    "---",
    "key: value",
    "null",
    "!!python/object:os.system",
    "*anchor &anchor",
    "🎉 emoji 👩‍👩‍👧",
    "עברית and عربي",
    "日本語 é ñ",
    "\ufeffbom\u200b\u00a0x",
    "x" * 300,
]

lines = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=60),
    st.text(alphabet="\"'\\#%$`*_[]<>|&~-+=1. a{}:!", min_size=1, max_size=20),
).map(str.strip)
# Valid answers. Other text is rejected before filters run.
answers = lines.filter(lambda line: bool(line) and not FORBIDDEN_CHARACTERS.search(line))


@given(st.one_of(lines, st.text(st.characters(exclude_categories=["Cs"]))))
def test_toml_round_trips(line: str) -> None:
    assert tomllib.loads(f"key = {filters.toml(line)}\n") == {"key": line}
    assert tomllib.loads(f"key = {filters.toml([line, line])}\n") == {"key": [line, line]}


@given(st.one_of(lines, st.text(st.characters(exclude_categories=["Cs"]))))
def test_yaml_round_trips(line: str) -> None:
    assert yaml.safe_load(f"key: {filters.yaml(line)}\n") == {"key": line}
    assert yaml.safe_load(f"[{filters.yaml(line)}, 1]") == [line, 1]


@given(answers)
@example('\\"')
def test_docstring_round_trips(line: str) -> None:
    for after in ("", "."):
        module = ast.parse(f'"""{filters.docstring(line)}{after}"""\n')
        assert ast.get_docstring(module, clean=False) == line + after


def test_docstrings_are_formatted() -> None:
    functions = [
        f'\n\ndef f() -> None:\n    """{filters.docstring(line)}{end}"""\n' for line in HOSTILE for end in ("", ".")
    ]
    assert_formatted('"""Functions."""\n' + "".join(functions))


def parse_description(unit: str) -> str:
    """Return the Description of a unit, parsed as systemd.syntax(7) defines."""
    joined = re.sub(r"((?:^|[^\\])(?:\\\\)*)\\\n", r"\1 ", unit)
    (value,) = [line.partition("=")[2] for line in joined.splitlines() if line.startswith("Description=")]
    return value.strip().replace("%%", "%")


@given(answers)
def test_systemd_description_round_trips(line: str) -> None:
    unit = f"[Unit]\nDescription={filters.systemd(line)}\nAfter=network.target\n"
    assert parse_description(unit) == line
    assert "%" not in filters.systemd(line).replace("%%", "")


def render_element(markdown: str, tag: str) -> str:
    """Return the text of the only element with this tag in rendered Markdown."""
    rendered = MarkdownIt().enable("table").render(markdown)
    (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", rendered, flags=re.DOTALL)
    assert "<" not in inside, rendered
    return html.unescape(inside)


@given(answers)
def test_markdown_text_round_trips_in_a_paragraph_a_heading_and_a_table(line: str) -> None:
    assert render_element(f"{filters.markdown(line)}\n", "p") == line
    assert render_element(f"# {filters.markdown(line)}\n", "h1") == line
    assert render_element(f"| {filters.markdown(line)} |\n|---|\n", "th") == line
    assert render_element(f"Copyright {filters.markdown(line)}.\n", "p") == f"Copyright {line}."


@given(answers)
def test_markdown_code_spans_round_trip_also_in_a_table(line: str) -> None:
    assert render_element(f"{filters.code(line)}\n".replace("\\|", "|"), "code") == line
    rendered = MarkdownIt().enable("table").render(f"| {filters.code(line)} |\n|---|\n")
    cell = re.search(r"<th><code>(.*)</code></th>", rendered, flags=re.DOTALL)
    assert cell
    assert html.unescape(cell[1]) == line


@pytest.mark.parametrize(
    "line",
    [
        "my_project",
        "A plain name, with (brackets) and: colons - and dashes!",
        "O'Neill",
        "R&D",
        "C#",
        "a < b > c",
        "x_y",
    ],
)
def test_markdown_does_not_escape_plain_text(line: str) -> None:
    assert filters.markdown(line) == line


def test_django_settings_are_uppercase_with_a_prefix() -> None:
    code = 'task_acks_late = True  # a = b\nbroker_transport_options = {\n    "timeout": 1,\n}\nBEAT = 1\n'
    assert filters.django_settings(code) == (
        'CELERY_TASK_ACKS_LATE = True  # a = b\nCELERY_BROKER_TRANSPORT_OPTIONS = {\n    "timeout": 1,\n}\nBEAT = 1\n'
    )


def test_json_round_trips_without_ascii_escapes() -> None:
    value = {"a": ["é", 'x="y"', {"b": 1.5}]}
    assert json.loads(filters.json(value)) == value
    assert "é" in filters.json(value)


def test_every_filter_is_tested() -> None:
    tested = {"code", "django_settings", "docstring", "json", "markdown", "systemd", "toml", "yaml"}
    elsewhere = {"last_queue", "one_line_if_short", "python", "slug"}
    assert set(FILTERS) == tested | elsewhere
