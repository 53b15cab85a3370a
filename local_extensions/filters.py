"""Jinja filters that encode a value in the format of a file. A parser of the format returns the same value.

Each filter takes one line of text. The result includes the quotes of the format.
"""

from __future__ import annotations

import json as encoder
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def escape_character(character: str) -> str:
    r"""Return the escape sequence `\uXXXX` or `\UXXXXXXXX` of a character, as TOML and YAML define it."""
    code = ord(character)
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def quote(text: str) -> str:
    """Return text in double quotes with the escape sequences that TOML and YAML share."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else escape_character(c) for c in plain) + '"'


def toml(value: str | Iterable[str]) -> str:
    """Return a TOML basic string, or an array of basic strings with one item per line."""
    if isinstance(value, str):
        return quote(value)
    return "[\n" + "".join(f"    {quote(item)},\n" for item in value) + "]"


def json(value: object) -> str:
    """Return indented JSON."""
    return encoder.dumps(value, indent=2, ensure_ascii=False)


yaml = quote
"""Return a double-quoted YAML scalar."""


def docstring(text: str) -> str:
    """Return the content of a docstring in triple double quotes, formatted as by `ruff format`."""
    # A quote at the start or at the end would extend the docstring's delimiter.
    first, text = (r"\"", text[1:]) if text.startswith('"') else ("", text)
    text, last = (text[:-1], r"\"") if text.endswith('"') else (text, "")
    inside = text.replace("\\", "\\\\").replace('"""', r"\"\"\"")
    return f"{first}{inside}{last}"


def systemd(text: str) -> str:
    """Return the value of `Description=` in a unit: `%` starts a specifier, a trailing backslash continues the line."""
    value = text.replace("%", "%%")
    trailing = len(value) - len(value.rstrip("\\"))
    # systemd strips trailing whitespace after it joins lines.
    return value + " " * (trailing % 2)


def markdown(text: str) -> str:
    """Return text with Markdown syntax escaped, for a paragraph, a heading or a table cell."""
    # Escape only Markdown syntax: `a < b`, `R&D`, `C#` and names_like_this need no backslash.
    inline = re.sub(r"[\\`*\[|~$]|<(?=[\w/!?])|&(?=#?\w+;)|(?<!\S)#|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", text)
    # At the start of a line these are a list, a block quote, a thematic break or a setext heading underline.
    return re.sub(r"^(\d{1,9}(?=[.)])|(?=[+=>-]))", r"\1\\", inline)


def code(text: str) -> str:
    """Return a Markdown code span that is valid in a table cell."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    blank = " " if longest else ""
    return f"{fence}{blank}{text}{blank}{fence}".replace("|", "\\|")


def django_settings(code: str) -> str:
    """Return a module of Celery settings with Django's setting names: `name = ...` becomes `CELERY_NAME = ...`."""
    code = re.sub(r"^([a-z]\w*)(?= = )", lambda match: f"CELERY_{match[0].upper()}", code, flags=re.MULTILINE)
    return re.sub(r"^CELERY_(?=REDBEAT_)", "", code, flags=re.MULTILINE)  # RedBeat reads settings without the prefix
