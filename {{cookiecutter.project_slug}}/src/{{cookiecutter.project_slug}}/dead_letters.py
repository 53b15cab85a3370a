"""List, show, replay and discard dead letters: tasks that failed permanently, or that no worker could run.

    python -m {{ cookiecutter.project_slug }}.dead_letters list
    python -m {{ cookiecutter.project_slug }}.dead_letters show ID
    python -m {{ cookiecutter.project_slug }}.dead_letters replay ID ...
    python -m {{ cookiecutter.project_slug }}.dead_letters discard ID ...

`list` accepts filters and `--json`. Instead of ids, `replay` and `discard` accept filters or `--all`. A replayed task
keeps its id, arguments and queue; it has all its retries and no expiry.

Exit status: 0 for success, 1 for an error (an unknown id, an unreachable broker), 2 for wrong usage.
"""

import argparse
import json
import sys
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator
from pydantic.json_schema import SkipJsonSchema

from {{ cookiecutter.project_slug }} import dead_letter_store as store
from {{ cookiecutter.project_slug }}.commands import (
    command_parser,
    exit_on_errors,
    iso_time,
    plural,
    print_table,
    require_broker,
)


def parse_time(value: Any) -> datetime:
    """Return a time from ISO format only. Pydantic would accept numbers, too."""
    if isinstance(value, str):
        return iso_time(value)
    if isinstance(value, datetime):
        return value
    raise ValueError("not a time in ISO format")


Text = str | SkipJsonSchema[None]
Time = Annotated[datetime | SkipJsonSchema[None], BeforeValidator(parse_time)]


class UnknownIdError(LookupError):
    """An id without a dead letter."""


class DeadLetterFilter(BaseModel):
    """Conditions that a dead letter must meet. Without conditions, all dead letters match."""

    model_config = ConfigDict(extra="forbid")

    queue: Text = Field(None, description="Only tasks of this queue.")
    task: Text = Field(None, description="Only tasks with this full name.")
    error: Text = Field(None, min_length=1, description="Only tasks with this text in their reason.")
    since: Time = Field(None, description="Only tasks that failed at this time or later; UTC without an offset.")
    until: Time = Field(None, description="Only tasks that failed before this time; UTC without an offset.")

    @field_validator("*", mode="before")
    @classmethod
    def refuse_null(cls, value: Any) -> Any:
        """Refuse a condition that is null: it would match all dead letters."""
        if value is None:
            raise ValueError("null is not a condition")
        return value

    def matches(self, letter: dict[str, Any]) -> bool:
        """Return whether a dead letter meets all conditions."""
        at = iso_time(letter["at"]) if letter["at"] else None
        return (
            self.queue in (None, letter["queue"])
            and self.task in (None, letter["task"])
            and (self.error or "") in letter["reason"]
            and (self.since is None or (at is not None and at >= self.since))
            and (self.until is None or (at is not None and at < self.until))
        )


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    filters = argparse.ArgumentParser(add_help=False)
    filters.add_argument("--queue", metavar="NAME", help="only tasks of this queue")
    filters.add_argument("--task", metavar="NAME", help="only tasks with this full name")
    filters.add_argument("--error", metavar="TEXT", help="only tasks with this text in their reason")
    filters.add_argument("--since", metavar="TIME", type=iso_time, help="only tasks since this ISO time (default UTC)")
    filters.add_argument("--until", metavar="TIME", type=iso_time, help="only tasks before this ISO time (default UTC)")
    parser = command_parser("dead_letters", __doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", parents=[filters], help="print a table, the oldest first")
    listing.add_argument("--json", action="store_true", help="print JSON with all fields")
    show = commands.add_parser("show", help="print one in full, as JSON")
    show.add_argument("ids", metavar="ID", nargs=1)
    for name, text in (("replay", "publish the tasks to their queues again"), ("discard", "delete the dead letters")):
        action = commands.add_parser(name, parents=[filters], help=text)
        action.add_argument("ids", metavar="ID", nargs="*")
        action.add_argument("--all", action="store_true", help="all dead letters")
    given = parser.parse_args(arguments)
    if given.command in {"replay", "discard"}:
        filtered = any((given.queue, given.task, given.error, given.since, given.until))
        if [bool(given.ids), filtered, given.all].count(True) != 1:
            parser.error("specify ids, filters or --all")
    return given


def select(letters: list[dict[str, Any]], selection: Collection[str] | DeadLetterFilter) -> list[dict[str, Any]]:
    """Return the dead letters with these ids, or those that match the filter.

    Raises:
        UnknownIdError: No dead letter has one of the ids.
    """
    if isinstance(selection, DeadLetterFilter):
        return [letter for letter in letters if selection.matches(letter)]
    if unknown := sorted(set(selection) - {letter["id"] for letter in letters}):
        raise UnknownIdError(f"no dead letter has the id {', '.join(unknown)}")
    return [letter for letter in letters if letter["id"] in selection]


def read_selection(given: argparse.Namespace) -> list[str] | DeadLetterFilter:
    """Return the given ids, or the filter of the given options."""
    options = {name: getattr(given, name, None) for name in DeadLetterFilter.model_fields}
    return getattr(given, "ids", None) or DeadLetterFilter(**{name: value for name, value in options.items() if value})


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command."""
    given = parse(arguments)
    with exit_on_errors():
        require_broker()
        try:
            letters = select(store.list_dead_letters(), read_selection(given))
        except UnknownIdError as error:
            sys.exit(str(error))
        if given.command == "show":
            print(json.dumps(letters[0], indent=2, default=str))
        elif given.command == "list" and given.json:
            print(json.dumps(letters, indent=2, default=str))
        elif given.command == "list":
            if letters:
                rows = [[letter[field] for field in ("at", "id", "queue", "task", "reason")] for letter in letters]
                print_table(("time", "id", "queue", "task", "reason"), rows)
            print(plural(len(letters), "dead letter"), file=sys.stderr)
        else:
            ids = {letter["id"] for letter in letters}
            done = store.replay(ids) if given.command == "replay" else store.discard(ids)
            print(f"{given.command}ed {plural(done, 'task')}")
            if done < len(ids):
                left = plural(len(ids) - done, "dead letter")
                sys.exit(f"{left} not {given.command}ed: the queue is not in queues.py, or another process has it")


if __name__ == "__main__":
    main()
