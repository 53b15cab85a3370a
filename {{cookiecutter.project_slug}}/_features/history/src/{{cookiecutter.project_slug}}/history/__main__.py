"""List the runs of tasks, the most recent first.

    python -m {{ cookiecutter.project_slug }}.history list
    python -m {{ cookiecutter.project_slug }}.history list --outcome failed --since 2026-01-31T08:00 --json

Exit status: 0 for success, 1 for an error (an unreachable database), 2 for wrong usage.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import get_args

from {{ cookiecutter.project_slug }}.commands import command_parser, exit_on_errors, iso_time, plural, print_table
from {{ cookiecutter.project_slug }}.history import store
from {{ cookiecutter.project_slug }}.history.runs import Outcome, Run, RunFilter, format_runtime

HEADERS = ("ended", "task id", "task", "queue", "worker", "outcome", "retries", "seconds", "error")


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = command_parser("history", __doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="print a table, the most recent run first")
    listing.add_argument("--task", metavar="NAME", help="only runs of the task with this full name")
    listing.add_argument("--task-id", metavar="ID", help="only runs of the task with this id")
    listing.add_argument("--queue", metavar="NAME", help="only runs of this queue")
    listing.add_argument("--outcome", choices=get_args(Outcome), help="only runs with this outcome")
    listing.add_argument("--since", metavar="TIME", type=iso_time, help="only runs since this ISO time (default UTC)")
    listing.add_argument("--limit", metavar="NUMBER", type=int, default=100, help="the maximum number (default: 100)")
    listing.add_argument("--json", action="store_true", help="print JSON with all fields")
    given = parser.parse_args(arguments)
    if not 1 <= given.limit <= 1000:
        parser.error("--limit: from 1 to 1000")
    return given


def to_row(run: Run) -> list[object]:
    """Return the cells of a run."""
    seconds = format_runtime(run.started, run.ended)
    ended = run.ended.isoformat(timespec="seconds")
    return [ended, run.task_id, run.task, run.queue, run.worker, run.outcome, run.retries, seconds, run.error]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command."""
    given = parse(arguments)
    names = ("task", "task_id", "queue", "outcome", "since", "limit")
    filters = RunFilter(**{name: getattr(given, name) for name in names})
    with exit_on_errors():
        runs = store.list_runs(filters)
    if given.json:
        print(json.dumps([run.model_dump(mode="json") for run in runs], indent=2))
        return
    if runs:
        print_table(HEADERS, map(to_row, runs), colors={"failed": "red", "lost": "red"})
    print(plural(len(runs), "run"), file=sys.stderr)


if __name__ == "__main__":
    main()
