"""Each workflow on a worker."""

import pytest

from {{ cookiecutter.project_slug }}.examples import workflows

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("worker")]


def test_a_chain_hands_results_on() -> None:
    assert workflows.one_after_the_other(1, 2).delay().get(timeout=30) == 6


def test_a_group_gives_a_result_for_each_task() -> None:
    assert workflows.side_by_side([1, 2, 3]).delay().get(timeout=30) == [2, 4, 6]


def test_a_chord_ends_with_its_callback() -> None:
    assert workflows.side_by_side_then_total([1, 2, 3]).delay().get(timeout=30) == 12
