"""Jinja filters that write an answer into a file of some format so that it is read back as it was given.

Each takes one line of text. Where a format has quotes, they are part of what the filter returns.
"""

from __future__ import annotations

import json as encoder
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def escaped(character: str) -> str:
    r"""A character that does not print as `\uXXXX` or `\UXXXXXXXX`, which TOML, YAML and JSON readers share."""
    code = ord(character)
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def quoted(text: str) -> str:
    """Text in double quotes, as TOML and YAML both read it."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else escaped(c) for c in plain) + '"'


def toml(value: str | Iterable[str]) -> str:
    """A TOML basic string, or an array of them with one on each line."""
    if isinstance(value, str):
        return quoted(value)
    return "[\n" + "".join(f"    {quoted(item)},\n" for item in value) + "]"


def json(value: object) -> str:
    """JSON, with a key on each line."""
    return encoder.dumps(value, indent=2, ensure_ascii=False)


yaml = quoted
"""A double-quoted YAML scalar."""


def docstring(text: str) -> str:
    """The inside of a docstring in triple double quotes, as `ruff format` leaves it."""
    # A quote next to the docstring's own quotes would make them end elsewhere.
    first, text = (r"\"", text[1:]) if text.startswith('"') else ("", text)
    text, last = (text[:-1], r"\"") if text.endswith('"') else (text, "")
    inside = text.replace("\\", "\\\\").replace('"""', r"\"\"\"")
    return f"{first}{inside}{last}"


def systemd(text: str) -> str:
    """The value of a unit's Description=, where `%` starts a specifier and a last backslash joins the next line."""
    value = text.replace("%", "%%")
    trailing = len(value) - len(value.rstrip("\\"))
    # systemd strips the blank, but after it the backslash is no longer the last character.
    return value + " " * (trailing % 2)


def markdown(text: str) -> str:
    """Text that Markdown shows as it is, in a paragraph, a heading or a table."""
    # Only what Markdown would take for its own: `a < b`, `R&D`, `C#` and names_like_this keep their looks.
    inline = re.sub(r"[\\`*\[|~$]|<(?=[\w/!?])|&(?=#?\w+;)|(?<!\S)#|(?<![^\W_])_|_(?![^\W_])", r"\\\g<0>", text)
    # At the start of a line these make a list, a quotation, a rule or the line above a heading.
    return re.sub(r"^(\d{1,9}(?=[.)])|(?=[+=>-]))", r"\1\\", inline)


def code(text: str) -> str:
    """Text in a code span of Markdown, which may stand in a table."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    blank = " " if longest else ""
    return f"{fence}{blank}{text}{blank}{fence}".replace("|", "\\|")


def django_settings(code: str) -> str:
    """Celery's settings, `name = ...` at the start of a line, as Django has them: `CELERY_NAME = ...`."""
    code = re.sub(r"^([a-z]\w*)(?= = )", lambda match: f"CELERY_{match[0].upper()}", code, flags=re.MULTILINE)
    return re.sub(r"^CELERY_(?=REDBEAT_)", "", code, flags=re.MULTILINE)  # RedBeat looks for its own names
