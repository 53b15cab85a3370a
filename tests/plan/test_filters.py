"""What a filter writes, the real reader of that format reads back as it was."""

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
# What the questions take: everything else is refused before a filter sees it.
answers = lines.filter(lambda line: bool(line) and not FORBIDDEN_CHARACTERS.search(line))


@given(st.one_of(lines, st.text(st.characters(exclude_categories=["Cs"]))))
def test_toml_reads_it_back(line: str) -> None:
    assert tomllib.loads(f"key = {filters.toml(line)}\n") == {"key": line}
    assert tomllib.loads(f"key = {filters.toml([line, line])}\n") == {"key": [line, line]}


@given(st.one_of(lines, st.text(st.characters(exclude_categories=["Cs"]))))
def test_yaml_reads_it_back(line: str) -> None:
    assert yaml.safe_load(f"key: {filters.yaml(line)}\n") == {"key": line}
    assert yaml.safe_load(f"[{filters.yaml(line)}, 1]") == [line, 1]


@given(answers)
@example('\\"')
def test_a_docstring_holds_it(line: str) -> None:
    for after in ("", "."):
        module = ast.parse(f'"""{filters.docstring(line)}{after}"""\n')
        assert ast.get_docstring(module, clean=False) == line + after


def test_ruff_format_leaves_docstrings_alone() -> None:
    functions = [
        f'\n\ndef f() -> None:\n    """{filters.docstring(line)}{end}"""\n' for line in HOSTILE for end in ("", ".")
    ]
    assert_formatted('"""Functions."""\n' + "".join(functions))


def unit_value(unit: str) -> str:
    """The Description of a unit, read as systemd.syntax(7) says."""
    joined = re.sub(r"((?:^|[^\\])(?:\\\\)*)\\\n", r"\1 ", unit)
    (value,) = [line.partition("=")[2] for line in joined.splitlines() if line.startswith("Description=")]
    return value.strip().replace("%%", "%")


@given(answers)
def test_a_unit_s_description_is_it(line: str) -> None:
    unit = f"[Unit]\nDescription={filters.systemd(line)}\nAfter=network.target\n"
    assert unit_value(unit) == line
    assert "%" not in filters.systemd(line).replace("%%", "")


def shown(markdown: str, tag: str) -> str:
    """The text of the only element of this kind that Markdown makes."""
    rendered = MarkdownIt().enable("table").render(markdown)
    (inside,) = re.findall(rf"<{tag}>(.*?)</{tag}>", rendered, flags=re.DOTALL)
    assert "<" not in inside, rendered
    return html.unescape(inside)


@given(answers)
def test_markdown_shows_it_in_a_paragraph_a_heading_and_a_table(line: str) -> None:
    assert shown(f"{filters.markdown(line)}\n", "p") == line
    assert shown(f"# {filters.markdown(line)}\n", "h1") == line
    assert shown(f"| {filters.markdown(line)} |\n|---|\n", "th") == line
    assert shown(f"Copyright {filters.markdown(line)}.\n", "p") == f"Copyright {line}."


@given(answers)
def test_markdown_shows_code_as_it_is_also_in_a_table(line: str) -> None:
    assert shown(f"{filters.code(line)}\n".replace("\\|", "|"), "code") == line
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
def test_markdown_leaves_plain_text_plain(line: str) -> None:
    assert filters.markdown(line) == line


def test_django_spells_celerys_settings_in_capitals_with_a_prefix() -> None:
    code = 'task_acks_late = True  # a = b\nbroker_transport_options = {\n    "timeout": 1,\n}\nBEAT = 1\n'
    assert filters.django_settings(code) == (
        'CELERY_TASK_ACKS_LATE = True  # a = b\nCELERY_BROKER_TRANSPORT_OPTIONS = {\n    "timeout": 1,\n}\nBEAT = 1\n'
    )


def test_json_is_read_back_as_it_was_and_leaves_letters_as_they_are() -> None:
    value = {"a": ["é", 'x="y"', {"b": 1.5}]}
    assert json.loads(filters.json(value)) == value
    assert "é" in filters.json(value)


def test_every_filter_is_tested() -> None:
    tested = {"code", "django_settings", "docstring", "json", "markdown", "systemd", "toml", "yaml"}
    elsewhere = {"last_queue", "one_line_if_short", "python", "slug"}
    assert set(FILTERS) == tested | elsewhere
