"""The consumer timeout, and queues that exist with other arguments."""

import re
from pathlib import Path
from unittest.mock import Mock

import pytest
from amqp.exceptions import PreconditionFailed
from kombu import Queue

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queues import TASK_QUEUES
from {{ cookiecutter.project_slug }}.quorum import QUEUE_ARGUMENTS

SETTINGS = Path(__file__).parent.parent / "deploy" / "rabbitmq" / "rabbitmq.conf"


def test_the_consumer_timeout_is_longer_than_any_task() -> None:
    (milliseconds,) = re.findall(r"^consumer_timeout = (\d+)$", SETTINGS.read_text(), flags=re.MULTILINE)
    assert int(milliseconds) / 1000 > app.conf.task_time_limit + 60
    assert QUEUE_ARGUMENTS["x-consumer-timeout"] == int(milliseconds)  # for servers without rabbitmq.conf


@pytest.mark.parametrize(
    ("argument", "passive"), [("x-consumer-timeout", True), ("x-max-length", True), ("x-delivery-limit", None)]
)
def test_a_worker_consumes_from_a_queue_with_other_tolerated_arguments(
    argument: str, passive: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel, declare = Mock(), Mock()
    channel.connection.client.transport.driver_type = "amqp"
    channel.connection.channel.return_value.__enter__ = Mock()
    channel.connection.channel.return_value.__exit__ = Mock(return_value=None)
    # The dead-letter queue, the task queue, and the task queue without its arguments.
    declare.side_effect = [None, PreconditionFailed(f"inequivalent arg '{argument}' for queue"), None]
    monkeypatch.setattr(Queue, "queue_declare", declare)
    if passive:
        TASK_QUEUES[0].queue_declare(channel=channel)
        assert declare.call_args.kwargs["passive"]
    else:
        with pytest.raises(PreconditionFailed):
            TASK_QUEUES[0].queue_declare(channel=channel)
