"""The doctor's checks of Amazon SQS."""

from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError

from {{ cookiecutter.project_slug }} import broker_checks
from {{ cookiecutter.project_slug }}.findings import Note, Unknown
from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.sqs import VISIBILITY_TIMEOUT

QUEUE = next(iter(QueueName))


@pytest.mark.parametrize("seconds", [VISIBILITY_TIMEOUT - 1, VISIBILITY_TIMEOUT + 1])
def test_a_queue_that_differs_from_its_template_is_reported(seconds: int) -> None:
    deployed = {"VisibilityTimeout": str(VISIBILITY_TIMEOUT), "RedrivePolicy": "{}"}
    (note,) = broker_checks.check_queue("emails", deployed)
    assert isinstance(note, Note)
    timeout, redrive, _ = broker_checks.check_queue("emails", {"VisibilityTimeout": str(seconds)})
    assert "VisibilityTimeout" in timeout
    assert "RedrivePolicy" in redrive


def test_messages_are_counted_by_their_state() -> None:
    numbers = {"": "3", "NotVisible": "2", "Delayed": "1"}
    attributes = {f"ApproximateNumberOfMessages{state}": number for state, number in numbers.items()}
    deployed = {"VisibilityTimeout": str(VISIBILITY_TIMEOUT), "RedrivePolicy": "{}"}
    (found,) = broker_checks.check_queue("emails", deployed | attributes)
    assert found == "3 ready, 2 unacknowledged, 1 scheduled"


@pytest.mark.parametrize(("code", "known"), [("AccessDenied", True), ("QueueDoesNotExist", False)])
def test_a_queue_without_permission_is_unknown(code: str, known: bool) -> None:
    channel: Any = Mock()
    error = ClientError({"Error": {"Code": code, "Message": ""}}, "GetQueueAttributes")
    channel.sqs.return_value.get_queue_attributes.side_effect = error
    if known:
        (found,) = broker_checks.query(QUEUE, channel)
        assert isinstance(found, Unknown)
        assert "sqs:GetQueueAttributes" in found
    else:
        with pytest.raises(ClientError):
            list(broker_checks.query(QUEUE, channel))
