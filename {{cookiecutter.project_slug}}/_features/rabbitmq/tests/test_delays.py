"""Delays on RabbitMQ: whole seconds, also for the first message of a virtual host."""

from datetime import timedelta
from typing import Any
from unittest.mock import Mock

import celery
import pytest

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping


@pytest.fixture
def send_task(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Replace Celery's `send_task` with a mock."""
    send = Mock()
    monkeypatch.setattr(celery.Celery, "send_task", send)
    return send


@pytest.mark.parametrize(("countdown", "seconds"), [(0.1, 1), (1, 1), (1.9, 2), (3600, 3600), (0, None), (-5, None)])
def test_a_delay_is_rounded_up(countdown: float, seconds: int | None, send_task: Mock) -> None:
    ping.apply_async(countdown=countdown)
    app.send_task(ping.name, countdown=countdown)
    assert [call.args[3] for call in send_task.call_args_list] == [seconds, seconds]


@pytest.mark.parametrize(("seconds", "delay"), [(0.9, 1), (59.5, 60), (-1, None)])
def test_an_eta_is_converted_to_a_delay(seconds: float, delay: int | None, send_task: Mock) -> None:
    due = app.now() + timedelta(seconds=seconds)
    for eta in (due, due.isoformat()):
        app.send_task(ping.name, eta=eta)
        assert send_task.call_args.args[3] == delay


def test_a_delayed_message_declares_its_queue(send_task: Mock) -> None:
    """This also declares the exchanges for delays, which do not exist on a new virtual host."""
    ping.apply_async(countdown=1)
    options: Any = send_task.call_args.kwargs
    assert [queue.name for queue in options["declare"]] == ["{{ plan().default_queue.name }}"]
