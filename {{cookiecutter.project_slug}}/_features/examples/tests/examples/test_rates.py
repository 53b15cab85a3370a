"""The rate limit for a batch of tasks."""

import time

import pytest

from {{ cookiecutter.project_slug }}.examples.rates import notify_all

from ..conftest import WaitForTask


@pytest.mark.integration
def test_the_sixth_task_of_a_batch_starts_a_second_later(wait_for_task: WaitForTask) -> None:
    started = time.monotonic()
    ids = notify_all([f"user-{number}" for number in range(6)])
    assert wait_for_task(ids[-1]) == "SUCCESS"
    assert time.monotonic() - started > 0.8  # seconds
