"""Workflows on a worker, and their failures."""

from unittest.mock import Mock

import pytest

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.examples import workflows

on_a_worker = pytest.mark.usefixtures("worker")
pytestmark = pytest.mark.integration


@pytest.fixture
def log_error(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Return a mock of `log.error`."""
    error = Mock()
    monkeypatch.setattr(workflows, "log", Mock(error=error))
    return error


@on_a_worker
def test_a_chain_passes_results_on() -> None:
    assert workflows.build_chain(1, 2).delay().get(timeout=30, interval=0.05) == 6


@on_a_worker
def test_a_group_returns_a_result_for_each_task() -> None:
    assert workflows.build_group([1, 2, 3]).delay().get(timeout=30, interval=0.05) == [2, 4, 6]


@on_a_worker
def test_a_chord_calls_its_callback(log_error: Mock) -> None:
    assert workflows.build_chord(12, [1, 2, 3]).delay().get(timeout=30, interval=0.05) == 22
    log_error.assert_not_called()


@on_a_worker
def test_a_chord_with_a_failed_task_calls_its_error_callback(log_error: Mock) -> None:
    result = workflows.build_chord(12, [1, 0, 3]).delay()
    with pytest.raises(Exception, match="ZeroDivisionError"):
        # `result` has a parent, the group, and `result.get()` would raise its error before the error callback runs.
        app.AsyncResult(result.id).get(timeout=30, interval=0.05)
    log_error.assert_called_once()
    assert "ZeroDivisionError" in log_error.call_args.kwargs["error"]


@on_a_worker
def test_a_graph_joins_its_parallel_tasks() -> None:
    assert workflows.build_graph(5, 3).delay().get(timeout=30, interval=0.05) == 16 + 4 + 2


@on_a_worker
def test_chunks_return_a_list_for_each_message() -> None:
    assert workflows.build_chunks([1, 2, 3, 4, 5], 2).delay().get(timeout=30, interval=0.05) == [[2, 4], [6, 8], [10]]


@on_a_worker
def test_a_workflow_from_data_runs_its_steps() -> None:
    data = [{"task": "add", "arguments": [2]}, {"task": "double"}, {"task": "share", "arguments": [3]}]
    assert workflows.build_from_data(4, data).delay().get(timeout=30, interval=0.05) == 4


@on_a_worker
def test_a_failed_step_ends_the_workflow() -> None:
    data = [{"task": "share", "arguments": [0]}, {"task": "double"}]
    with pytest.raises(ZeroDivisionError):
        workflows.build_from_data(4, data).delay().get(timeout=30, interval=0.05)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "a workflow needs at least one step"),
        (["add"], "step 1: : Input should be a valid dictionary or instance of Step"),
        ([{"task": "double"}, {"task": "remove"}], "step 2: unknown task 'remove'; available: add, double, share"),
        ([{"task": "add", "arguments": ["2"]}], "step 1: arguments.0: Input should be a valid integer"),
        ([{"task": "double"}, {"task": "add"}], "step 2: add: missing a required argument: 'right'"),
        ([{"task": "double", "arguments": [1]}], "step 1: double: too many positional arguments"),
        ([{"task": "double", "queue": "other"}], "step 1: queue: Extra inputs are not permitted"),
    ],
)
def test_an_invalid_step_is_rejected(data: list[object], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        workflows.build_from_data(4, data)
