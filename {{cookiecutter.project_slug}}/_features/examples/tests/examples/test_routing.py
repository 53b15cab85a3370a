"""The router of urgent calls."""

from typing import Any

import pytest
from kombu import Queue

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.examples.rates import notify
from {{ cookiecutter.project_slug }}.examples.routing import URGENT
from {{ cookiecutter.project_slug }}.queues import QueueName

from ..conftest import WaitForTask


def route(kwargs: dict[str, Any], **options: str) -> str:
    """Return the queue of a call with these arguments and options."""
    queue: Queue = app.amqp.router.route(options, notify.name, args=("me",), kwargs=kwargs)["queue"]
    return str(queue.name)


def test_an_urgent_call_is_routed_to_the_urgent_queue() -> None:
    assert route({"urgent": True}) == URGENT


@pytest.mark.parametrize("kwargs", [{}, {"urgent": False}, {"urgent": "no"}])
def test_other_calls_are_routed_by_their_task(kwargs: dict[str, Any]) -> None:
    assert route(kwargs) == next(iter(QueueName))


@pytest.mark.parametrize("queue", QueueName)
def test_an_explicit_queue_overrides_the_router(queue: QueueName) -> None:
    assert route({"urgent": True}, queue=queue.value) == queue


@pytest.mark.integration
def test_an_urgent_task_runs(wait_for_task: WaitForTask) -> None:
    assert wait_for_task(notify.delay("me", urgent=True).id) == "SUCCESS"
