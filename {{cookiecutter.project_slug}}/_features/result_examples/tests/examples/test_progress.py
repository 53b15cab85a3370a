"""Progress reports and cancellation of a long task."""

from typing import Any
from unittest.mock import Mock

import pytest
from celery.exceptions import TaskRevokedError

from {{ cookiecutter.project_slug }}.examples import progress


def test_each_step_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    update_state = Mock()
    monkeypatch.setattr(progress.add_up, "update_state", update_state)
    assert progress.add_up([1, 2, 3]) == 6
    reported: list[dict[str, Any]] = [call.kwargs["meta"] for call in update_state.call_args_list]
    assert reported == [{"done": 1, "of": 3}, {"done": 2, "of": 3}, {"done": 3, "of": 3}]


@pytest.mark.integration
@pytest.mark.usefixtures("worker")
def test_a_cancelled_task_is_revoked(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[int] = []

    def cancel_at_the_second_step(*, meta: dict[str, int], **_: Any) -> None:
        done.append(meta["done"])
        if meta["done"] == 2:
            progress.cancel(str(progress.add_up.request.id))

    monkeypatch.setattr(progress.add_up, "update_state", cancel_at_the_second_step)
    with pytest.raises(TaskRevokedError, match="stopped on request"):
        progress.add_up.delay([1, 2, 3]).get(timeout=30, interval=0.05)
    assert done == [1, 2]
