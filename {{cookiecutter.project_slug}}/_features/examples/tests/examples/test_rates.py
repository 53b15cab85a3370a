"""The tasks of a batch are spread over time."""

import time

import pytest

from {{ cookiecutter.project_slug }}.examples.rates import notify_all

from ..conftest import Ran


@pytest.mark.integration
def test_six_tasks_at_five_a_second_take_a_second(outcome: Ran) -> None:
    started = time.monotonic()
    sent = notify_all([f"user-{number}" for number in range(6)])
    assert outcome(sent[-1]) == "SUCCESS"
    assert time.monotonic() - started > 0.8  # seconds
