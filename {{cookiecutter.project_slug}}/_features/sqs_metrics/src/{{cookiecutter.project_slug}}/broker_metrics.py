"""Metrics that only Amazon SQS has: none here.

CloudWatch has the age of the oldest message and the number of dead letters: `deploy/aws/alarms.yaml`.
"""

from typing import Any

INTERVAL = 60
"""Seconds between two queries: each is a request for each queue, and AWS charges for requests."""


def update(connection: Any) -> None:
    """Query nothing more."""


def clear() -> None:
    """Clear nothing."""
