"""Delays that RabbitMQ delivers: whole seconds, from the first message on."""

from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import celery
import pytest

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Takes the place of Celery's own `send_task`."""
    send = Mock()
    monkeypatch.setattr(celery.Celery, "send_task", send)
    return send


@pytest.mark.parametrize(("countdown", "seconds"), [(0.1, 1), (1, 1), (1.9, 2), (3600, 3600), (0, None), (-5, None)])
def test_a_delay_is_rounded_up(countdown: float, seconds: int | None, publish: Mock) -> None:
    ping.apply_async(countdown=countdown)
    app.send_task(ping.name, countdown=countdown)
    assert [call.args[3] for call in publish.call_args_list] == [seconds, seconds]


@pytest.mark.parametrize(("seconds", "delay"), [(0.9, 1), (59.5, 60), (-1, None)])
def test_a_time_becomes_a_delay(seconds: float, delay: int | None, publish: Mock) -> None:
    due = app.now() + timedelta(seconds=seconds)
    for eta in (due, due.isoformat()):
        app.send_task(ping.name, eta=eta)
        assert publish.call_args.args[3] == delay


def test_a_delayed_message_declares_its_queue(publish: Mock) -> None:
    """And with it the exchanges that delay it, which a fresh virtual host has not."""
    ping.apply_async(countdown=1)
    options: Any = publish.call_args.kwargs
    assert [queue.name for queue in options["declare"]] == ["{{ plan().default_queue.name }}"]
