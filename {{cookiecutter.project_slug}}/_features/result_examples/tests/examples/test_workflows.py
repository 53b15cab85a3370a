"""Each workflow on a worker, and how each ends when a part of it fails."""

from unittest.mock import Mock

import pytest

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.examples import workflows

on_a_worker = pytest.mark.usefixtures("worker")
pytestmark = pytest.mark.integration


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """What the error callback logs."""
    error = Mock()
    monkeypatch.setattr(workflows, "log", Mock(error=error))
    return error


@on_a_worker
def test_a_chain_hands_results_on() -> None:
    assert workflows.one_after_the_other(1, 2).delay().get(timeout=30, interval=0.05) == 6


@on_a_worker
def test_a_group_gives_a_result_for_each_task() -> None:
    assert workflows.side_by_side([1, 2, 3]).delay().get(timeout=30, interval=0.05) == [2, 4, 6]


@on_a_worker
def test_a_chord_ends_with_its_callback(reported: Mock) -> None:
    assert workflows.side_by_side_then_total(12, [1, 2, 3]).delay().get(timeout=30, interval=0.05) == 22
    reported.assert_not_called()


@on_a_worker
def test_a_chord_with_a_part_that_fails_ends_with_its_error_callback(reported: Mock) -> None:
    sent = workflows.side_by_side_then_total(12, [1, 0, 3]).delay()
    with pytest.raises(Exception, match="ZeroDivisionError"):
        app.AsyncResult(sent.id).get(timeout=30, interval=0.05)  # alone: else the part that failed is reported first
    reported.assert_called_once()
    assert "ZeroDivisionError" in reported.call_args.kwargs["error"]


@on_a_worker
def test_a_graph_joins_what_it_fanned_out() -> None:
    assert workflows.fan_out_and_join(5, 3).delay().get(timeout=30, interval=0.05) == 16 + 4 + 2


@on_a_worker
def test_chunks_give_a_list_for_each_task() -> None:
    assert workflows.in_chunks([1, 2, 3, 4, 5], 2).delay().get(timeout=30, interval=0.05) == [[2, 4], [6, 8], [10]]


@on_a_worker
def test_a_workflow_from_data_runs_its_steps() -> None:
    data = [{"task": "add", "arguments": [2]}, {"task": "double"}, {"task": "share", "arguments": [3]}]
    assert workflows.from_data(4, data).delay().get(timeout=30, interval=0.05) == 4


@on_a_worker
def test_a_step_that_fails_ends_its_workflow() -> None:
    data = [{"task": "share", "arguments": [0]}, {"task": "double"}]
    with pytest.raises(ZeroDivisionError):
        workflows.from_data(4, data).delay().get(timeout=30, interval=0.05)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        ([], "a workflow has at least one step"),
        (["add"], "step 1: : Input should be a valid dictionary or instance of Step"),
        ([{"task": "double"}, {"task": "remove"}], "step 2: no task is called 'remove'; there are add, double, share"),
        ([{"task": "add", "arguments": ["2"]}], "step 1: arguments.0: Input should be a valid integer"),
        ([{"task": "double"}, {"task": "add"}], "step 2: add: missing a required argument: 'right'"),
        ([{"task": "double", "arguments": [1]}], "step 1: double: too many positional arguments"),
        ([{"task": "double", "queue": "other"}], "step 1: queue: Extra inputs are not permitted"),
    ],
)
def test_a_bad_step_is_one_clear_error(data: list[object], complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{complaint}$"):
        workflows.from_data(4, data)
