"""The limits that are computed from the time limit of a task."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_extensions.limits import Limits
from tests.support.answers import plan_of

NAMES = (
    *("soft_time_limit", "consumer_timeout", "warm_shutdown", "stop_grace"),
    *("scale_down_wait", "long_wait"),
)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (1, (0.9, 301, 1, 21, 300, 300)),
        (10, (9, 310, 10, 30, 300, 300)),
        (300, (270, 600, 300, 320, 300, 300)),
        (43200, (38880, 43500, 600, 620, 3600, 43200)),
    ],
)
def test_each_limit_is_computed_from_the_time_limit(seconds: int, expected: tuple[float, ...]) -> None:
    limits = plan_of(task_time_limit=str(seconds)).limits
    assert limits == Limits(seconds)
    assert {name: getattr(limits, name) for name in NAMES} == dict(zip(NAMES, expected, strict=True))


def test_whole_seconds_are_integers() -> None:
    for seconds in (10, 300, 43200):
        limits = Limits(seconds)
        assert {type(getattr(limits, name)) for name in NAMES} == {int}


@given(st.integers(1, 43200))
def test_the_limits_are_ordered(seconds: int) -> None:
    limits = Limits(seconds)
    assert 0 < limits.soft_time_limit < limits.task_time_limit < limits.consumer_timeout
    assert limits.warm_shutdown + 10 < limits.stop_grace
    assert limits.scale_down_wait <= limits.long_wait
