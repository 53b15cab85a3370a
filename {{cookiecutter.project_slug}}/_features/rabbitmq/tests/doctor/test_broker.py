"""What is said of queues that are not as `quorum.py` declares them."""

from typing import Any
from unittest.mock import Mock

import pytest
from amqp.exceptions import NotFound, PreconditionFailed

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.doctor import broker
from {{ cookiecutter.project_slug }}.queues import TASK_QUEUES

DIFFERENT = "PRECONDITION_FAILED - inequivalent arg 'x-queue-type' for queue 'default'"


@pytest.fixture
def declare() -> Mock:
    """Takes the place of RabbitMQ's answer to a declaration; the first is only a question."""
    return Mock(return_value=Mock(message_count=7))


@pytest.fixture
def connection(declare: Mock) -> Any:
    """A connection to that RabbitMQ."""
    channel = Mock(queue_declare=declare)
    return Mock(channel=lambda: channel, channel_errors=(NotFound, PreconditionFailed))


def test_a_queue_as_declared_is_right(connection: Any, declare: Mock) -> None:
    assert broker.refusal(connection, TASK_QUEUES[0]) == ""
    assert broker.waiting(connection, TASK_QUEUES[0]) == 7
    assert [call.kwargs.get("passive") for call in declare.call_args_list] == [True, False, True]
    assert broker.queue_types({"default": ""}).status == "ok"


def test_a_queue_of_another_type_is_a_failure(connection: Any, declare: Mock) -> None:
    declare.side_effect = [declare.return_value, PreconditionFailed(DIFFERENT)]
    refused = broker.refusal(connection, TASK_QUEUES[0])
    found = broker.queue_types({"default": refused, "dead_letters": ""})
    assert (found.status, found.what) == ("failure", f"default: {DIFFERENT}")


def test_a_missing_queue_is_a_failure_and_is_not_made(connection: Any, declare: Mock) -> None:
    declare.side_effect = [NotFound("NOT_FOUND - no queue")]
    found = broker.queue_types({"default": broker.refusal(connection, TASK_QUEUES[0])})
    assert (found.status, found.what) == ("failure", "default: it does not exist")


def test_a_timeout_below_the_time_limit_is_a_failure() -> None:
    assert broker.consumer_timeout("consumer_timeout = 600000", 300).status == "ok"
    found = broker.consumer_timeout("consumer_timeout = 600000", 600)
    assert (found.check, found.status) == ("consumer timeout", "failure")
    assert broker.consumer_timeout("", 3600).status == "failure"


def test_the_server_s_configuration_fits_the_time_limit() -> None:
    configuration = broker.CONFIGURATION.read_text(encoding="utf-8")
    assert broker.consumer_timeout(configuration, app.conf.task_time_limit).status == "ok"
