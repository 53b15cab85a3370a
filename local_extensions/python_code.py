"""Python literals, calls and signatures, formatted as by `ruff format` with lines of at most 120 columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

LINE_LENGTH = 120


def measure_width(code: str) -> int:
    """Return the width of code in columns. A non-ASCII character counts as two columns, because it may be wide."""
    return len(code) if code.isascii() else sum(1 if character.isascii() else 2 for character in code)


def format_string(text: str) -> str:
    """Return a string literal in double quotes, or in single quotes if it then has fewer backslashes."""
    quote = "'" if text.count('"') > text.count("'") else '"'
    return quote + "".join(_escape_in_string(character, quote) for character in text) + quote


def _escape_in_string(character: str, quote: str) -> str:
    if character in ("\\", quote):
        return "\\" + character
    return character if character.isprintable() else repr(character)[1:-1]


def format_flat(value: Any) -> str:
    """Return a literal of str, bool, int, float, None, list, tuple or dict on one line."""
    match value:
        case str():
            return format_string(value)
        case float():
            return repr(value).replace("e+", "e")
        case list():
            return f"[{', '.join(map(format_flat, value))}]"
        case tuple():
            return f"({', '.join(map(format_flat, value))}{',' if len(value) == 1 else ''})"
        case dict():
            return f"{{{', '.join(f'{format_flat(key)}: {format_flat(item)}' for key, item in value.items())}}}"
    return repr(value)


def python(value: Any, indent: int = 0, used: int = 0) -> str:
    """Return a literal, on several lines if it is too long for one line.

    Args:
        value: A str, bool, int, float, None, or a list, tuple or dict of these.
        indent: The indentation of its first line, in columns.
        used: The columns of its first line that other code uses, including the indentation.
    """
    return _wrap_literal(format_flat(value), value, indent, used)


def _wrap_literal(line: str, value: Any, indent: int, used: int) -> str:
    if measure_width(line) + used <= LINE_LENGTH or not value or not isinstance(value, (list, tuple, dict)):
        return line
    if isinstance(value, (list, tuple)):
        items = [("", item) for item in value]
    else:
        items = [(f"{format_flat(key)}: ", item) for key, item in value.items()]
    inner = indent + 4
    rows = [prefix + python(item, inner, inner + measure_width(prefix) + 1) for prefix, item in items]
    return format_rows(line[0], rows, line[-1], indent)


def format_rows(opening: str, rows: Sequence[str], closing: str, indent: int) -> str:
    """Return rows between brackets, one per line. `ruff format` keeps the lines because of the trailing commas."""
    inside = "".join(f"{' ' * (indent + 4)}{row},\n" for row in rows)
    return f"{opening}\n{inside}{' ' * indent}{closing}"


Arguments = Sequence[tuple[str, Any]]
"""Pairs of keyword and value. The keyword of a positional argument is ""."""


def format_one_line_call(function: str, arguments: Arguments) -> str:
    """Return a call with literals on one line of any length."""
    return f"{function}({', '.join((f'{name}=' if name else '') + format_flat(value) for name, value in arguments)})"


def format_call(function: str, arguments: Arguments, indent: int = 0, used: int = 0) -> str:
    """Return a call with literals, on several lines if it is too long for one line; see `python`."""
    line = format_one_line_call(function, arguments)
    if measure_width(line) + used <= LINE_LENGTH or not arguments:
        return line
    inner = indent + 4
    prefixed = [(f"{name}=" if name else "", value) for name, value in arguments]
    rows = [prefix + python(value, inner, inner + measure_width(prefix) + 1) for prefix, value in prefixed]
    return format_rows(f"{function}(", rows, ")", indent)


def format_signature(function: str, parameters: Sequence[str]) -> str:
    """Return the header of a function that returns None. `*` is a valid parameter."""
    line = f"def {function}({', '.join(parameters)}) -> None:"
    if measure_width(line) <= LINE_LENGTH or not parameters:
        return line
    return format_rows(f"def {function}(", parameters, ") -> None:", 0)


def one_line_if_short(code: str, reserved: int = 0) -> str:
    """Return a bracketed statement on one line if it fits, as `ruff format` does.

    Args:
        code: The statement. An opening bracket ends its line, and each element has its own line and a trailing comma.
        reserved: The columns that a later filter adds to the line.
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
    return f"{line}\n" if measure_width(line) + reserved <= LINE_LENGTH else code
