"""`wait_for_database`: what runs before `migrate` where nothing else waits for the database's server."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connection

PAUSE = 1.0
"""Seconds between two attempts."""


class Command(BaseCommand):
    """Return as soon as the database answers."""

    help = "Wait until the database answers."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """How long to wait."""
        parser.add_argument("--timeout", type=float, default=60, help="give up after so many seconds (default: 60)")

    def handle(self, *args: Any, timeout: float, **options: Any) -> None:
        """Try, and try again.

        Raises:
            CommandError: it did not answer in time; the message has the reason.
        """
        until = time.monotonic() + timeout
        while True:
            try:
                connection.ensure_connection()
            except OperationalError as error:
                if time.monotonic() + PAUSE > until:
                    raise CommandError(f"the database did not answer within {timeout:.0f} s: {error}") from error
                time.sleep(PAUSE)
            else:
                return
