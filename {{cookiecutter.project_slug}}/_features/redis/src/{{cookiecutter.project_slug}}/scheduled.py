"""Count the scheduled tasks of each queue (with `countdown` or `eta`), or cancel some.

    python -m {{ cookiecutter.project_slug }}.scheduled [--json]
    python -m {{ cookiecutter.project_slug }}.scheduled cancel ID ...

Exit status: 0 for success, 1 for an error (a task is not scheduled, an unreachable broker), 2 for wrong usage.
"""

import json
import sys
from collections.abc import Sequence
from typing import Any

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.commands import (
    command_parser,
    exit_on_errors,
    plural,
    print_table,
    require_broker,
)
from {{ cookiecutter.project_slug }}.queues import QueueName


def count() -> dict[str, int]:
    """Return the number of scheduled tasks of each queue."""
    with app.connection_for_read() as connection:
        channel: Any = connection.default_channel
        return {name.value: channel.count_scheduled(name.value) for name in QueueName}


def cancel(task_id: str) -> int:
    """Delete the messages of a scheduled task; return their number."""
    with app.connection_for_write() as connection:
        channel: Any = connection.default_channel
        return sum(channel.cancel(name.value, task_id) for name in QueueName)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the numbers, or cancel tasks."""
    parser = command_parser("scheduled", __doc__)
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    action = parser.add_subparsers(dest="command").add_parser("cancel", help="delete scheduled tasks")
    action.add_argument("ids", metavar="ID", nargs="+")
    given = parser.parse_args(arguments)
    with exit_on_errors():
        require_broker()
        if given.command == "cancel":
            missing = [task_id for task_id in given.ids if not cancel(task_id)]
            print(f"cancelled {plural(len(given.ids) - len(missing), 'task')}")
            if missing:
                sys.exit(f"not scheduled: {', '.join(missing)}")
        elif given.json:
            print(json.dumps(count(), indent=2))
        else:
            print_table(("queue", "scheduled"), count().items())


if __name__ == "__main__":
    main()
