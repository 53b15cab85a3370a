"""Tests of the validation of callbacks and workflow steps when a message is published."""

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
{% if plan().features.results %}
from celery import chain, chord, group
{% else %}
from celery import chain, group
{% endif %}
from celery.app.utils import find_app
from celery.exceptions import QueueNotFound

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping

FORMS: dict[str, Callable[[Any], Any]] = {
    "link": lambda step: ping.apply_async(link=step),
    "send_task": lambda step: app.send_task(ping.name, link=[step]),
    "a link's link": lambda step: ping.apply_async(link=ping.s().on_error(ping.si()) | step),
    "chain": lambda step: chain(ping.s(), ping.s(), step).delay(),
    "group in a chain": lambda step: chain(ping.s(), group(ping.s(), step)).delay(),
    "group": lambda step: group(ping.s() | step, ping.s()).delay(),
{% if plan().features.results %}
    "chord": lambda step: chord([ping.s(), ping.s()], step).delay(),
    "chord in a chain": lambda step: chain(ping.s(), chord([ping.s(), ping.s()], step)).delay(),
{% endif %}
}


@pytest.fixture
def publish(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Replace publishing to the broker by a mock."""
    send = Mock()
    monkeypatch.setattr(app.amqp, "send_task_message", send)
    return send


@pytest.mark.parametrize("name", ["{{ cookiecutter.project_slug }}", "{{ cookiecutter.project_slug }}.celery_app"])
def test_celery_command_finds_the_application(name: str) -> None:
    assert find_app(name) is app


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_invalid_step_is_rejected_before_a_message_is_published(form: Callable[[Any], Any], publish: Mock) -> None:
    with pytest.raises(TypeError, match="positional argument"):
        form(ping.s("one too many"))
    with pytest.raises(QueueNotFound, match="no-such"):
        form(ping.s().set(queue="no-such"))
    publish.assert_not_called()


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_valid_step_is_published(form: Callable[[Any], Any], publish: Mock) -> None:
    form(ping.s())
    form(ping.si("instead of the result"))
    assert publish.called
