"""Tasks that are not due yet: count them, or delete some.

    python -m {{ cookiecutter.project_slug }}.scheduled
    python -m {{ cookiecutter.project_slug }}.scheduled cancel ID ...

Exit status 1 if a task to cancel is not scheduled.
"""

import sys
from typing import Any

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queues import QueueName


def count() -> dict[str, int]:
    """Return the number of scheduled tasks of each queue."""
    with app.connection_for_read() as connection:
        channel: Any = connection.default_channel
        return {name.value: channel.scheduled(name.value) for name in QueueName}


def cancel(task_id: str) -> int:
    """Delete the messages of a scheduled task; return their number."""
    with app.connection_for_write() as connection:
        channel: Any = connection.default_channel
        return sum(channel.cancel(name.value, task_id) for name in QueueName)


def main(arguments: list[str]) -> int:
    """Print the numbers, or cancel tasks; return 1 if a task is not scheduled, else 0."""
    if arguments[:1] != ["cancel"]:
        for queue, number in count().items():
            print(f"{queue} {number}")
        return 0
    missing = [task_id for task_id in arguments[1:] if not cancel(task_id)]
    for task_id in missing:
        print(f"{task_id} is not scheduled", file=sys.stderr)
    return int(bool(missing))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
