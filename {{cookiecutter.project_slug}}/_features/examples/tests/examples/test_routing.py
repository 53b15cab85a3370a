"""An urgent call goes to the urgent queue, all others where their module says, and a named queue wins."""

from typing import Any

import pytest
from kombu import Queue

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.examples.rates import notify
from {{ cookiecutter.project_slug }}.examples.routing import URGENT
from {{ cookiecutter.project_slug }}.queues import QueueName

from ..conftest import Ran


def queue_of(kwargs: dict[str, Any], **options: str) -> str:
    """The queue of a call with these arguments and options."""
    queue: Queue = app.amqp.router.route(options, notify.name, args=("me",), kwargs=kwargs)["queue"]
    return str(queue.name)


def test_an_urgent_call_goes_to_the_urgent_queue() -> None:
    assert queue_of({"urgent": True}) == URGENT


@pytest.mark.parametrize("kwargs", [{}, {"urgent": False}, {"urgent": "no"}])
def test_any_other_call_goes_where_its_task_does(kwargs: dict[str, Any]) -> None:
    assert queue_of(kwargs) == next(iter(QueueName))


@pytest.mark.parametrize("queue", QueueName)
def test_the_queue_that_a_caller_names_wins(queue: QueueName) -> None:
    assert queue_of({"urgent": True}, queue=queue.value) == queue


@pytest.mark.integration
def test_an_urgent_task_runs(outcome: Ran) -> None:
    assert outcome(notify.delay("me", urgent=True).id) == "SUCCESS"
