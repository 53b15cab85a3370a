"""What Amazon SQS shows beyond the length of its queues, which is nothing here.

How old the oldest task is, and how many dead letters there are, CloudWatch knows: `deploy/aws/alarms.yaml` asks it.
"""

from typing import Any

INTERVAL = 60
"""Seconds between two looks: each is a request for each queue, which AWS charges for."""


def look(connection: Any) -> None:
    """Nothing more to ask."""


def forget() -> None:
    """Nothing more to forget."""
