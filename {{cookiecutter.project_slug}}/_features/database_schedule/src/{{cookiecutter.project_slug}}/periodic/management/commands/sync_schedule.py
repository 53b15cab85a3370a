"""The command `sync_schedule`: update the schedule in the database, as beat does at startup."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.periodic.sync import sync


class Command(BaseCommand):
    """A command that updates the schedule in the database from the code."""

    help = "Update the schedule in the database from schedule.py. Edits in the admin are kept."

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the option `--dry-run`."""
        parser.add_argument("--dry-run", action="store_true", help="print the changes without saving them")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        """Print a line for each change."""
        for change in sync(app, dry_run=dry_run):
            self.stdout.write(change)
