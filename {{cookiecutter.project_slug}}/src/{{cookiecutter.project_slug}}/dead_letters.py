"""What failed for good, and what nobody could run: look at it, send it again, or throw it away.

    python -m {{ cookiecutter.project_slug }}.dead_letters list
    python -m {{ cookiecutter.project_slug }}.dead_letters show ID
    python -m {{ cookiecutter.project_slug }}.dead_letters requeue ID ...    (or --all)
    python -m {{ cookiecutter.project_slug }}.dead_letters purge ID ...      (or --all)

A task that is sent again has its id, its arguments and its queue, all its retries, and no expiry.
"""

import argparse
import json
import sys
from collections.abc import Sequence

from {{ cookiecutter.project_slug }} import dead_letter_store as store


def parser() -> argparse.ArgumentParser:
    """The command line."""
    commands = argparse.ArgumentParser(prog="dead_letters", description="What failed for good.")
    command = commands.add_subparsers(dest="command", required=True)
    listing = command.add_parser("list", help="a line for each, the oldest first")
    listing.add_argument("--json", action="store_true", help="as JSON")
    show = command.add_parser("show", help="all there is to know of one, as JSON")
    show.add_argument("ids", metavar="ID", nargs=1)
    for name, text in (("requeue", "send them to their queues again"), ("purge", "throw them away")):
        act = command.add_parser(name, help=text)
        act.add_argument("ids", metavar="ID", nargs="*")
        act.add_argument("--all", action="store_true", help="all of them")
    return commands


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0; 1 and a line if an id is unknown, or neither ids nor --all are given."""
    given = parser().parse_args(arguments)
    letters = store.list_dead_letters()
    if given.command == "list" and given.json:
        print(json.dumps(letters, indent=2, default=str))
        return 0
    if given.command == "list":
        for letter in letters:
            print(f"{letter['at']}  {letter['id']}  {letter['queue']}  {letter['task']}  {letter['reason']}")
        print(f"{len(letters)} dead letters", file=sys.stderr)
        return 0
    by_id = {letter["id"]: letter for letter in letters}
    if unknown := [each for each in given.ids if each not in by_id]:
        print(f"no dead letter has the id {', '.join(unknown)}", file=sys.stderr)
        return 1
    if given.command == "show":
        print(json.dumps(by_id[given.ids[0]], indent=2, default=str))
        return 0
    if bool(given.ids) == given.all:
        print("name the ids, or write --all", file=sys.stderr)
        return 1
    act = store.replay if given.command == "requeue" else store.discard
    print(f"{given.command}: {act(list(by_id) if given.all else given.ids)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
