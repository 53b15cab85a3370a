"""Shared parts of the commands for operators: parsers, times, tables, plurals and errors."""

import os
import shutil
import sys
import textwrap
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime

import click

from {{ cookiecutter.project_slug }}.celery_app import app


def command_parser(module: str, description: str | None) -> ArgumentParser:
    """Return the parser of `python -m MODULE`."""
    module = f"python -m {{ cookiecutter.project_slug }}.{module}"
    return ArgumentParser(prog=module, description=description, formatter_class=RawDescriptionHelpFormatter)


def iso_time(text: str) -> datetime:
    """Parse a time in ISO format, which is UTC unless it contains an offset."""
    return assume_utc(datetime.fromisoformat(text))


def assume_utc(time: datetime) -> datetime:
    """Return a time in UTC if it has no offset."""
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def print_table(
    headers: Sequence[str], rows: Iterable[Sequence[object]], *, colors: Mapping[str, str] = {}, wrap: bool = False
) -> None:
    """Print rows in aligned columns. On a terminal only, color cells and fit the last column to the width.

    Args:
        headers: The names of the columns.
        rows: The cells of each row.
        colors: The color of a cell, by its text. `NO_COLOR` in the environment disables colors.
        wrap: Whether to wrap the last column. By default it is cut.
    """
    table = [[header.upper() for header in headers], *([one_line(str(cell)) for cell in row] for row in rows)]
    *widths, _ = (max(map(len, column)) for column in zip(*table, strict=True))
    indent = sum(widths) + 2 * len(widths)
    space = max(20, shutil.get_terminal_size().columns - indent) if sys.stdout.isatty() else sys.maxsize
    styled = {text: click.style(text, color) for text, color in colors.items()}
    for *first, last in table:
        cells = [styled.get(cell, cell) + " " * (width - len(cell)) for cell, width in zip(first, widths, strict=True)]
        cut = last if len(last) <= space else f"{last[: space - 3]}..."
        lines = textwrap.wrap(last, space) if wrap else [cut]
        text = "  ".join([*cells, f"\n{' ' * indent}".join(lines)])
        click.echo(text.rstrip(), color=False if os.environ.get("NO_COLOR") else None)


def one_line(text: str) -> str:
    """Replace line breaks and the control sequences of terminals, which an error message may contain."""
    return "".join(char if char.isprintable() else " " for char in text)


def plural(number: int, noun: str) -> str:
    """Return a number with its noun."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


@contextmanager
def exit_on_errors() -> Iterator[None]:
    """Exit with status 1 and one line if a command raises an error."""
    try:
        yield
    except Exception as error:  # client libraries raise many types
        sys.exit(one_line(f"{type(error).__name__}: {error}"))


def require_broker() -> None:
    """Raise an error if the broker is unreachable. By default, Celery retries a connection without limit."""
    with app.connection_for_read() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0)
