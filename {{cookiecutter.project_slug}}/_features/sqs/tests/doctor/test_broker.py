"""What is said of queues that are not as `deploy/aws/queues.yaml` makes them."""

import time
from email.utils import formatdate
from typing import Any
from unittest.mock import MagicMock, Mock

import pytest
from botocore.exceptions import ClientError

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.doctor import broker
from {{ cookiecutter.project_slug }}.queues import QueueName

TIMEOUT = app.conf.broker_transport_options["visibility_timeout"]


@pytest.fixture
def attributes() -> dict[str, str]:
    """What SQS says of each queue, its dead letters' included."""
    return {
        "VisibilityTimeout": str(TIMEOUT),
        "RedrivePolicy": "{}",
        "ApproximateNumberOfMessages": "0",
        "ApproximateNumberOfMessagesNotVisible": "0",
    }


@pytest.fixture
def ask(attributes: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Takes the place of the request for a queue's attributes."""
    said = {"Attributes": attributes, "ResponseMetadata": {"HTTPHeaders": {"date": formatdate(usegmt=True)}}}
    request = Mock(return_value=said)
    connection = MagicMock()
    connection.__enter__().default_channel.sqs().get_queue_attributes = request
    monkeypatch.setattr(app, "connection_for_read", lambda: connection)
    return request


def not_ok() -> list[tuple[str, str, str]]:
    """What the doctor finds wrong."""
    found = [finding for finding in broker.examine() if finding.status != "ok"]
    return [(finding.check, finding.status.value, finding.what) for finding in found]


@pytest.mark.usefixtures("ask")
def test_queues_as_deployed_are_right() -> None:
    assert not_ok() == []


@pytest.mark.usefixtures("ask")
def test_a_queue_that_hides_messages_too_shortly_is_a_failure(attributes: dict[str, str]) -> None:
    attributes["VisibilityTimeout"] = "30"
    assert not_ok() == [(f"queue {name}", "failure", "its VisibilityTimeout is 30 s") for name in QueueName]


@pytest.mark.usefixtures("ask")
def test_a_queue_without_an_end_for_poison_is_a_failure(attributes: dict[str, str]) -> None:
    del attributes["RedrivePolicy"]
    assert not_ok() == [(f"queue {name}", "failure", "it has no RedrivePolicy") for name in QueueName]


def test_a_queue_from_which_nobody_takes_is_a_warning(attributes: dict[str, str]) -> None:
    attributes["ApproximateNumberOfMessages"] = "5"
    found = broker.taken("emails", attributes)
    assert (found.status, found.what) == ("warning", "5 waiting, and no worker has any in its hands")
    assert broker.taken("emails", attributes | {"ApproximateNumberOfMessagesNotVisible": "1"}).status == "ok"


def test_a_missing_queue_is_a_failure(ask: Mock) -> None:
    ask.side_effect = ClientError({"Error": {"Code": "QueueDoesNotExist"}}, "GetQueueAttributes")
    assert not_ok() == [(f"queue {name}", "failure", "SQS says QueueDoesNotExist") for name in QueueName]


def test_dead_letters_that_may_not_be_counted_are_a_warning(ask: Mock) -> None:
    answer = ask.return_value

    def tell(QueueUrl: str, **_: Any) -> Any:  # noqa: N803  # boto3's name
        if QueueUrl.endswith("-DLQ"):
            raise ClientError({"Error": {"Code": "AccessDenied"}}, "GetQueueAttributes")
        return answer

    ask.side_effect = tell
    assert not_ok() == [("dead letters", "warning", "SQS says AccessDenied")]


@pytest.mark.parametrize("skew", [-3600, 0, 3600])
def test_the_date_of_an_answer_shows_the_skew(skew: int) -> None:
    assert broker.clock_skew(formatdate(time.time() + skew, usegmt=True), time.time()) == pytest.approx(skew, abs=3)
