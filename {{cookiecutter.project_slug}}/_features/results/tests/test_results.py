"""Results come back from the tasks that ask for them, and only from those."""

import pytest

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping


def test_results_are_opt_in() -> None:
    assert app.conf.task_ignore_result
    assert not ping.ignore_result


@pytest.mark.integration
@pytest.mark.usefixtures("worker")
def test_a_result_comes_back() -> None:
    assert ping.delay("hello").get(timeout=30, interval=0.05) == "hello"
