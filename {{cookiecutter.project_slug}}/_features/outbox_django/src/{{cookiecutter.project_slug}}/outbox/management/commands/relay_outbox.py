"""The command `relay_outbox`, which publishes the tasks of the outbox until it is stopped."""

from typing import Any

from django.core.management.base import BaseCommand

from {{ cookiecutter.project_slug }}.outbox.relay import Relay


class Command(BaseCommand):
    """A command that runs the relay."""

    help = "Publish the tasks of the outbox until the process is stopped."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the relay."""
        Relay().run()
