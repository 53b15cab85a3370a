"""Metrics that are specific to Amazon SQS: none.

CloudWatch has the age of the oldest message and the number of dead letters; see `deploy/aws/alarms.yaml`.
"""

from typing import Any

INTERVAL = 60
"""Seconds between two queries. Each sends a request per queue, and AWS charges for requests."""


def update(connection: Any) -> None:
    """Do nothing."""


def clear() -> None:
    """Do nothing."""
