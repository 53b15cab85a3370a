"""The broker does not deliver a task again while its worker may still have it."""

from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import pytest

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping


def test_the_visibility_timeout_outlasts_the_longest_retry_and_the_run_after_it() -> None:
    app.loader.import_default_modules()
    timeout = app.conf.broker_transport_options["visibility_timeout"]
    tasks: list[Any] = list(app.tasks.values())
    for task in tasks:
        delay = task.retry_backoff_max if task.retry_backoff else task.default_retry_delay
        needed = delay + (task.time_limit or app.conf.task_time_limit)
        assert needed < timeout, f"{task.name} runs twice at a time unless visibility_timeout is above {needed} s"


@pytest.fixture
def an_hour_of_visibility(monkeypatch: pytest.MonkeyPatch) -> None:
    """A broker that takes a worker for lost after an hour."""
    monkeypatch.setitem(app.conf.broker_transport_options, "visibility_timeout", 3600 + app.conf.task_time_limit)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Takes the place of what would be sent."""
    publish = Mock()
    monkeypatch.setattr(app, "send_task", publish)
    monkeypatch.setattr("celery.app.task.Task.apply_async", publish)
    return publish


@pytest.mark.usefixtures("an_hour_of_visibility")
def test_a_delay_that_the_broker_can_hold_is_sent(sent: Mock) -> None:
    ping.apply_async(countdown=3590)
    ping.apply_async(eta=app.now() + timedelta(seconds=3590))
    assert sent.call_count == 2


@pytest.mark.usefixtures("an_hour_of_visibility")
def test_a_longer_delay_is_refused_because_the_task_would_run_twice(sent: Mock) -> None:
    with pytest.raises(ValueError, match="is due in 3610 s, but this broker can hold a task back for 3600 s"):
        ping.apply_async(countdown=3610)
    with pytest.raises(ValueError, match="is due in 36"):
        ping.apply_async(eta=app.now() + timedelta(seconds=3610))
    sent.assert_not_called()
