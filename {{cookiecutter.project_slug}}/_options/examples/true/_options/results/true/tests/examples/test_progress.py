"""Progress is reported at each step."""

from typing import Any
from unittest.mock import Mock

import pytest

from {{ cookiecutter.project_slug }}.examples.progress import add_up


def test_each_step_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    update = Mock()
    monkeypatch.setattr(add_up, "update_state", update)
    assert add_up([1, 2, 3]) == 6
    reported: list[dict[str, Any]] = [call.kwargs["meta"] for call in update.call_args_list]
    assert reported == [{"done": 1, "of": 3}, {"done": 2, "of": 3}, {"done": 3, "of": 3}]
