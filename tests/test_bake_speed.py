"""The run time of a bake is limited, and grows linearly."""

from __future__ import annotations

import pytest

from benchmarks.bake import bake_with_command, compare_with_empty_template, measure_bake

# Benchmarks require an idle machine: they run last, and one at a time.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("speed")]


def test_a_bake_takes_at_most_four_times_as_long_as_an_empty_template() -> None:
    # On an idle machine, cookiecutter-django without hooks takes 2.4 to 3.1 times as long, and this template 3.5. The
    # limit has a margin for a busy machine.
    ours, empty = compare_with_empty_template(bake_with_command, runs=15)

    assert ours <= 4 * empty, f"{ours:.3f} s against {empty:.3f} s: {ours / empty:.2f} times"


def test_a_thousand_jobs_on_two_hundred_queues_bake_in_under_three_seconds() -> None:
    assert measure_bake(1000, 200, runs=3) < 3


def test_the_time_of_a_bake_grows_linearly_with_its_jobs() -> None:
    few, many = measure_bake(250, 50, runs=3), measure_bake(1000, 200, runs=3)

    # Four times the jobs. A quadratic algorithm would take more than five times as long.
    assert many < 5 * few, f"250 jobs {few:.2f} s, 1000 jobs {many:.2f} s"
