"""Python literals, calls and signatures as `ruff format` writes them, on lines of at most 120 columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

LINE_LENGTH = 120


def width(code: str) -> int:
    """The columns that code takes, or more: what is not ASCII counts double, since it may be wide."""
    return len(code) if code.isascii() else sum(1 if character.isascii() else 2 for character in code)


def string(text: str) -> str:
    """A string literal: in double quotes, or in single ones if that saves backslashes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + "".join(_in_quotes(character, quote) for character in text) + quote


def _in_quotes(character: str, quote: str) -> str:
    if character in ("\\", quote):
        return "\\" + character
    return character if character.isprintable() else repr(character)[1:-1]


def flat(value: Any) -> str:
    """A literal of str, bool, int, float, None, list, tuple or dict on one line."""
    match value:
        case str():
            return string(value)
        case float():
            return repr(value).replace("e+", "e")
        case list():
            return f"[{', '.join(map(flat, value))}]"
        case tuple():
            return f"({', '.join(map(flat, value))}{',' if len(value) == 1 else ''})"
        case dict():
            return f"{{{', '.join(f'{flat(key)}: {flat(item)}' for key, item in value.items())}}}"
    return repr(value)


def python(value: Any, indent: int = 0, used: int = 0) -> str:
    """A literal, spread over several lines if it is too long for one.

    Args:
        value: str, bool, int, float, None, or a list, tuple or dict of these.
        indent: columns by which the line that it begins on is indented.
        used: columns of that line, the indentation included, that something else takes.
    """
    return _fitted(flat(value), value, indent, used)


def _fitted(line: str, value: Any, indent: int, used: int) -> str:
    if width(line) + used <= LINE_LENGTH or not value or not isinstance(value, (list, tuple, dict)):
        return line
    if isinstance(value, (list, tuple)):
        items = [("", item) for item in value]
    else:
        items = [(f"{flat(key)}: ", item) for key, item in value.items()]
    inner = indent + 4
    rows = [prefix + python(item, inner, inner + width(prefix) + 1) for prefix, item in items]
    return exploded(line[0], rows, line[-1], indent)


def exploded(opening: str, rows: Sequence[str], closing: str, indent: int) -> str:
    """Rows between brackets, each on its own line with a trailing comma, which `ruff format` then keeps."""
    inside = "".join(f"{' ' * (indent + 4)}{row},\n" for row in rows)
    return f"{opening}\n{inside}{' ' * indent}{closing}"


Arguments = Sequence[tuple[str, Any]]
"""Pairs of a keyword, or "" for a positional argument, and a value."""


def one_line_call(function: str, arguments: Arguments) -> str:
    """A call with literals on one line, however long."""
    return f"{function}({', '.join((f'{name}=' if name else '') + flat(value) for name, value in arguments)})"


def call(function: str, arguments: Arguments, indent: int = 0, used: int = 0) -> str:
    """A call with literals, spread over several lines if it is too long for one; see `python`."""
    line = one_line_call(function, arguments)
    if width(line) + used <= LINE_LENGTH or not arguments:
        return line
    inner = indent + 4
    prefixed = [(f"{name}=" if name else "", value) for name, value in arguments]
    rows = [prefix + python(value, inner, inner + width(prefix) + 1) for prefix, value in prefixed]
    return exploded(f"{function}(", rows, ")", indent)


def signature(function: str, parameters: Sequence[str]) -> str:
    """The line or lines from `def` to the colon of a function that returns nothing; `*` may be a parameter."""
    line = f"def {function}({', '.join(parameters)}) -> None:"
    if width(line) <= LINE_LENGTH or not parameters:
        return line
    return exploded(f"def {function}(", parameters, ") -> None:", 0)


def one_line_if_short(code: str, reserved: int = 0) -> str:
    """Return a statement with a bracket over several lines on one line if that is short enough, as `ruff format` does.

    Args:
        code: The statement. A line that opens a bracket ends with it, and each element is on a line with a comma.
        reserved: Columns that a later filter adds to the line.
    """
    first, *others = code.splitlines()
    line = first
    one_element = first.endswith("(") and len(others) == 2 and " = " in first
    for part in map(str.strip, others):
        if part[0] in ")]}":
            line = line.removesuffix("" if one_element else ",") + part
        elif line[-1] in "([{":
            line += part
        else:
            line += f" {part}"
    if line.startswith("from "):  # an import needs parentheses only on several lines
        line = line.replace(" import (", " import ").removesuffix(")")
    return f"{line}\n" if width(line) + reserved <= LINE_LENGTH else code
