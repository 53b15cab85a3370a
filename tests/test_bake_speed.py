"""The cost of a bake is limited, and grows linearly.

Function calls are counted, because the CPU time of a bake varies with the load of the machine, also in relation to that
of an empty template. `make bench` prints the times.
"""

from __future__ import annotations

import pytest

from benchmarks.bake import count_calls, make_answers, measure_bake

# The run time requires an idle machine: these tests run last, and one at a time.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("speed")]


def test_a_bake_makes_at_most_2_2_million_function_calls() -> None:
    # 2.0 million with Python 3.11. Each line of a generated file costs about 200, most of them in Jinja's compiler.
    calls = count_calls()

    assert calls < 2_200_000


def test_a_thousand_jobs_on_two_hundred_queues_bake_in_under_three_seconds() -> None:
    # 0.5 to 1.0 s on an idle machine.
    assert measure_bake(1000, 200, runs=3) < 3


def test_the_cost_of_a_bake_grows_linearly_with_its_jobs() -> None:
    few, some, many = (count_calls(make_answers(jobs, queues=jobs // 5)) for jobs in (250, 500, 1000))

    # Twice the additional jobs and queues. A quadratic algorithm would need four times the additional calls.
    assert many - some < 2.5 * (some - few), f"250 jobs {few:,}, 500 jobs {some:,}, 1000 jobs {many:,}"
