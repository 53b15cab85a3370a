"""Results come back from the tasks that ask for them, and only from those."""

import pytest
from celery import chord
{% if plan().features.django_results %}
from django.db import transaction
{% endif %}

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping


def test_results_are_opt_in() -> None:
    assert app.conf.task_ignore_result
    assert not ping.ignore_result


@pytest.mark.integration
@pytest.mark.usefixtures("worker")
def test_a_result_comes_back() -> None:
    assert ping.delay("hello").get(timeout=30, interval=0.05) == "hello"


@pytest.mark.integration
@pytest.mark.usefixtures("worker")
def test_the_parts_of_a_chord_keep_their_results() -> None:
    part = ping.s("hello")
    part.options["ignore_result"] = True
    assert chord([part, part], ping.s()).delay().get(timeout=30, interval=0.05) == ["hello", "hello"]
{% if plan().features.django_results %}


@pytest.mark.django_db(transaction=True)
def test_reading_a_result_does_not_end_a_transaction() -> None:
    with transaction.atomic():
        for _ in range(2):
            assert app.AsyncResult("no such task").state == "PENDING"
{% endif %}
