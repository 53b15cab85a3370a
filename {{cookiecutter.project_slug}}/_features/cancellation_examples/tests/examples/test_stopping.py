"""The long task ends by itself, or when it is asked to."""

from unittest.mock import Mock

import pytest
from celery.exceptions import Ignore

from {{ cookiecutter.project_slug }}.examples import stopping


@pytest.fixture
def reported(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """The progress that was reported; time does not pass."""
    update = Mock()
    monkeypatch.setattr(stopping.count_down, "update_state", update)
    monkeypatch.setattr("time.sleep", lambda _: None)
    return update


def test_it_counts_down(reported: Mock) -> None:
    assert stopping.count_down(3) == "lift-off"
    assert [call.kwargs["meta"]["left"] for call in reported.call_args_list] == [3, 2, 1]


def test_it_stops_between_two_steps(reported: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "stop_if_cancelled", Mock(side_effect=[None, Ignore]))
    with pytest.raises(Ignore):
        stopping.count_down(3)
    assert reported.call_count == 1
