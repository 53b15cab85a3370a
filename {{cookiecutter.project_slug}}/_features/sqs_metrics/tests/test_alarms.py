"""The CloudWatch alarms of every queue and its dead-letter queue."""

import re
from pathlib import Path

from {{ cookiecutter.project_slug }}.queues import QueueName

ALARMS = Path(__file__).parent.parent / "deploy" / "aws" / "alarms.yaml"


def test_every_queue_has_alarms_for_its_oldest_message_and_its_dead_letters() -> None:
    found = re.findall(r'MetricName: (\w+)\n.*\$\{Prefix\}([^"]+)"', ALARMS.read_text())
    expected = [("ApproximateAgeOfOldestMessage", queue.value) for queue in QueueName]
    expected += [("ApproximateNumberOfMessagesVisible", f"{queue.value}-DLQ") for queue in QueueName]
    assert sorted(found) == sorted(expected), "deploy/aws/alarms.yaml: for a new queue, copy the two alarms of another"
