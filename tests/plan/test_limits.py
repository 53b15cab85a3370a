"""The limits that follow from the time limit of a task."""

from __future__ import annotations

import ast
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local_extensions.limits import Limits
from tests.support.answers import plan_of
from tests.support.render import render

NAMES = (
    *("soft_time_limit", "longest_delay", "visibility_timeout", "consumer_timeout", "warm_shutdown", "stop_grace"),
    *("scale_down_wait", "long_wait", "near_time_limit"),
)


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (1, (0.9, 900, 961, 301, 1, 21, 300, 300, 0.8)),
        (10, (9, 900, 970, 310, 10, 30, 300, 300, 8)),
        (300, (270, 900, 1260, 600, 300, 320, 300, 300, 240)),
        (43200, (38880, 900, 44160, 43500, 600, 620, 3600, 43200, 34560)),
    ],
)
def test_every_limit_follows_from_the_time_limit(seconds: int, expected: tuple[float, ...]) -> None:
    limits = plan_of(task_time_limit=str(seconds)).limits
    assert limits == Limits(seconds)
    assert {name: getattr(limits, name) for name in NAMES} == dict(zip(NAMES, expected, strict=True))


def test_whole_seconds_are_written_without_a_point() -> None:
    for seconds in (10, 300, 43200):
        limits = Limits(seconds)
        assert {type(getattr(limits, name)) for name in NAMES} == {int}


@given(st.integers(1, 43200))
def test_the_limits_are_in_their_order(seconds: int) -> None:
    limits = Limits(seconds)
    assert 0 < limits.near_time_limit < limits.soft_time_limit < limits.task_time_limit < limits.consumer_timeout
    assert limits.visibility_timeout > limits.task_time_limit + limits.longest_delay
    assert limits.warm_shutdown + 10 < limits.stop_grace
    assert limits.scale_down_wait <= limits.long_wait


@given(st.integers(1, 43200))
def test_the_buckets_of_histograms_ascend_and_end_with_the_limits(seconds: int) -> None:
    limits = Limits(seconds)
    for buckets in (limits.runtime_buckets, limits.wait_buckets):
        assert list(buckets) == sorted(set(buckets))
    assert limits.runtime_buckets[-2:] == (limits.near_time_limit, seconds)
    assert limits.wait_buckets[-2:] == (limits.long_wait, 4 * limits.long_wait)


@pytest.mark.parametrize("seconds", [1, 7, 300, 42240, 43200])
@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_the_alert_rules_name_only_buckets_of_metrics_py(seconds: int, broker: str) -> None:
    answers = {"task_time_limit": str(seconds), "broker": broker}
    module = ast.parse(render("_features/monitoring/src/<slug>/metrics.py", **answers))
    calls = (node for node in ast.walk(module) if isinstance(node, ast.Call))
    histograms = {
        ast.literal_eval(call.args[0]): ast.literal_eval(keyword.value)
        for call in calls
        for keyword in call.keywords
        if keyword.arg == "buckets"
    }
    rules = render("_features/monitoring/deploy/monitoring/rules.yaml", **answers)
    named = set(re.findall(r'(\w+)_bucket\{.*?le="(.*?)"', rules))

    limits = Limits(seconds)
    assert histograms == {
        "celery_task_runtime_seconds": limits.runtime_buckets,
        "celery_task_wait_seconds": limits.wait_buckets,
    }
    # The client exports the bounds as floats.
    assert named <= {(name, str(float(bound))) for name, bounds in histograms.items() for bound in bounds}
    assert {name for name, _ in named} == ({"celery_task_runtime_seconds"} if broker == "redis" else set(histograms))
