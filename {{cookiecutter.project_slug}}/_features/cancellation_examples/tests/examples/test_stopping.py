"""Progress and cancellation of the countdown."""

from unittest.mock import Mock

import pytest
from celery.exceptions import Ignore

from {{ cookiecutter.project_slug }}.examples import stopping


@pytest.fixture
def update_state(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Return a mock of `update_state`, and skip the delays."""
    update = Mock()
    monkeypatch.setattr(stopping.count_down, "update_state", update)
    monkeypatch.setattr("time.sleep", lambda _: None)
    return update


def test_the_task_reports_each_second(update_state: Mock) -> None:
    assert stopping.count_down(3) == "lift-off"
    assert [call.kwargs["meta"]["left"] for call in update_state.call_args_list] == [3, 2, 1]


def test_a_cancelled_task_stops_between_two_steps(update_state: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "stop_if_cancelled", Mock(side_effect=[None, Ignore]))
    with pytest.raises(Ignore):
        stopping.count_down(3)
    assert update_state.call_count == 1
