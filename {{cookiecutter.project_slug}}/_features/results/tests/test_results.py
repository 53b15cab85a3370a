"""Tests of stored results, which are opt-in."""

from typing import Any
from unittest.mock import Mock

import pytest
from celery import chord
{% if plan().features.django_results %}
from django.db import transaction
{% endif %}

from {{ cookiecutter.project_slug }} import base_task
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping


def test_results_are_opt_in() -> None:
    assert app.conf.task_ignore_result
    assert not ping.ignore_result


@pytest.mark.parametrize("ignored", [False, True])
def test_state_is_stored_unless_the_result_is_ignored(ignored: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    task: Any = ping
    monkeypatch.setattr(task.backend, "store_result", store := Mock())
    monkeypatch.setattr(base_task, "log", log := Mock())
    task.push_request(id="1", ignore_result=ignored)
    task.update_state(state="PROGRESS")
    task.update_state(state="PROGRESS")
    task.pop_request()
    assert (store.call_count, log.warning.call_count) == ((0, 1) if ignored else (2, 0))


@pytest.mark.integration
@pytest.mark.usefixtures("worker")
def test_result_is_returned() -> None:
    assert ping.delay("hello").get(timeout=30, interval=0.05) == "hello"


@pytest.mark.integration
@pytest.mark.usefixtures("worker")
def test_chord_members_store_their_results() -> None:
    member = ping.s("hello")
    member.options["ignore_result"] = True
    assert chord([member, member], ping.s()).delay().get(timeout=30, interval=0.05) == ["hello", "hello"]
{% if plan().features.django_results %}


@pytest.mark.django_db(transaction=True)
def test_reading_a_result_does_not_end_the_transaction() -> None:
    with transaction.atomic():
        for _ in range(2):
            assert app.AsyncResult("no such task").state == "PENDING"
{% endif %}
