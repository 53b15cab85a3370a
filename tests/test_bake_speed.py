"""A bake does not get slower unnoticed, and grows with what is asked for."""

from __future__ import annotations

import pytest

from benchmarks.bake import against_empty, bake_by_command, grown

# Timings want a quiet machine: they come after the other tests of this group, never beside one another.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("speed")]


def test_a_bake_does_not_take_much_longer_than_an_empty_template() -> None:
    # cookiecutter-django without its hooks takes 2.4 to 3.1 times as long, and a bake 3.0 on a quiet machine. The rest
    # of the limit is for a busy one.
    ours, empty = against_empty(bake_by_command, runs=15)

    assert ours <= 3.5 * empty, f"{ours:.3f} s against {empty:.3f} s: {ours / empty:.2f} times"


def test_a_thousand_jobs_on_two_hundred_queues_bake_in_under_three_seconds() -> None:
    assert grown(1000, 200, runs=3) < 3


def test_a_bakes_time_grows_no_faster_than_its_jobs() -> None:
    few, many = grown(250, 50, runs=3), grown(1000, 200, runs=3)

    # Four times the work; more than five times the time would mean that something is done once for every pair.
    assert many < 5 * few, f"250 jobs {few:.2f} s, 1000 jobs {many:.2f} s"
