"""Pause and resume queues{{ " and periodic tasks, and run a periodic task now" if plan().features.beat }}.

    python -m {{ cookiecutter.project_slug }}.control queues list
    python -m {{ cookiecutter.project_slug }}.control queues pause NAME ...
    python -m {{ cookiecutter.project_slug }}.control queues resume NAME ...
{% if plan().features.beat %}
    python -m {{ cookiecutter.project_slug }}.control schedule list
    python -m {{ cookiecutter.project_slug }}.control schedule run NAME ...
    python -m {{ cookiecutter.project_slug }}.control schedule pause NAME ...
    python -m {{ cookiecutter.project_slug }}.control schedule resume NAME ...
{% endif %}

`list` accepts `--json`. Workers{{ " and beat" if plan().features.beat }} apply a change within a few seconds.

Exit status: 0 for success, 1 for an error (an unreachable server), 2 for wrong usage (an unknown name).
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence

{% if plan().features.control_django %}
import django
from django.apps import apps

if not apps.models_ready:
    django.setup()  # before the import of `actions`, which the admin imports

{% endif %}
from {{ cookiecutter.project_slug }} import logs
{% if plan().features.beat %}
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.commands import command_parser, exit_on_errors, print_table, require_broker
{% else %}
from {{ cookiecutter.project_slug }}.commands import command_parser, exit_on_errors, print_table
{% endif %}
from {{ cookiecutter.project_slug }}.control import actions, store
from {{ cookiecutter.project_slug }}.control.pauses import by_name
{% if plan().features.beat %}
from {{ cookiecutter.project_slug }}.periodic_tasks import list_periodic_tasks
{% endif %}
from {{ cookiecutter.project_slug }}.queues import QueueName

ACTOR = "command line"
"""The acting user of a pause."""

{% filter one_line_if_short %}
ACTIONS: dict[str, dict[str, Callable[[str, str], str | None]]] = {
    "queues": {"pause": actions.pause_queue, "resume": actions.resume_queue},
{% if plan().features.beat %}
    "schedule": {
        "run": lambda name, actor: actions.run_now(actions.find_entry(name), actor),
        "pause": actions.pause_periodic_task,
        "resume": actions.resume_periodic_task,
    },
{% endif %}
}
{% endfilter %}
"""The function of each command. It returns the id of a task that it has published."""


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = command_parser("control", __doc__)
    kinds = parser.add_subparsers(dest="kind", required=True)
    for kind, functions in ACTIONS.items():
        commands = kinds.add_parser(kind).add_subparsers(dest="command", required=True)
        commands.add_parser("list").add_argument("--json", action="store_true", help="print JSON")
        for command in functions:
            commands.add_parser(command).add_argument("names", metavar="NAME", nargs="+")
    return parser.parse_args(arguments)


def list_rows(kind: str) -> list[dict[str, object]]:
    """Return the fields of each queue or periodic task by name."""
{% if plan().features.beat %}
    if kind == "schedule":
        tasks = list_periodic_tasks()
        return [task.model_dump(mode="json", include={"name", "schedule", "queue", "paused", "task"}) for task in tasks]
{% endif %}
    pauses = by_name(store.list_pauses(), "queue")
    return [
        {
            "name": name.value,
            "paused": name in pauses,
            "since": pauses[name].at.isoformat(timespec="seconds") if name in pauses else "",
            "by": pauses[name].by if name in pauses else "",
        }
        for name in QueueName
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command."""
    given = parse(arguments)
    with exit_on_errors():
        if given.command != "list":
            run(given)
            return
        rows = list_rows(given.kind)
        if given.json:
            print(json.dumps(rows, indent=2))
        else:
            cells = [list((row | {"paused": "yes" if row["paused"] else "no"}).values()) for row in rows]
            print_table(list(rows[0]), cells, colors={"yes": "yellow"})


def run(given: argparse.Namespace) -> None:
    """Run an action on each name, and print the ids of published tasks."""
{% if plan().features.beat %}
    if given.command == "run":
        app.loader.import_default_modules()  # the options of the tasks
        require_broker()
{% endif %}
    for name in given.names:
        try:
            task_id = ACTIONS[given.kind][given.command](name, ACTOR)
        except actions.UnknownNameError as error:
            print(error, file=sys.stderr)
            sys.exit(2)
        print(task_id or f"{given.command}d: {name}")


if __name__ == "__main__":
    logs.configure()  # to standard error
    main()
