"""`sync_schedule`: what beat does as it starts, by hand; or what it would do."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.periodic.sync import sync


class Command(BaseCommand):
    """Bring the schedule in the database in line with the code."""

    help = "Bring the schedule in the database in line with schedule.py; what was changed in the admin stays."

    def add_arguments(self, parser: CommandParser) -> None:
        """Whether to do it."""
        parser.add_argument("--dry-run", action="store_true", help="say what would change, and change nothing")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> None:
        """Print a line for each change."""
        for change in sync(app, dry_run=dry_run):
            self.stdout.write(change)
