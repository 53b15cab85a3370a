"""The command `wait_for_database`, for use before `migrate` where the supervisor does not wait for the database."""

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connection

RETRY_INTERVAL = 1.0
"""Seconds between two attempts."""


class Command(BaseCommand):
    """A command that exits when the database accepts connections."""

    help = "Wait until the database accepts connections."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        """Add the option `--timeout`."""
        parser.add_argument("--timeout", type=float, default=60, help="maximum wait in seconds (default: 60)")

    def handle(self, *args: Any, timeout: float, **options: Any) -> None:
        """Connect to the database, and retry until the timeout.

        Raises:
            CommandError: The timeout expired. The message has the last error.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                connection.ensure_connection()
            except OperationalError as error:
                if time.monotonic() + RETRY_INTERVAL > deadline:
                    raise CommandError(f"database unreachable after {timeout:.0f} s: {error}") from error
                time.sleep(RETRY_INTERVAL)
            else:
                return
