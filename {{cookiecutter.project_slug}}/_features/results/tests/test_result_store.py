"""A result backend that is away fails no task."""

from typing import Any
from unittest.mock import Mock

import pytest
import structlog
from celery import states
from celery.exceptions import BackendStoreError

from {{ cookiecutter.project_slug }} import result_store
from {{ cookiecutter.project_slug }}.celery_app import app


def outage(state: str) -> BackendStoreError:
    """What Celery raises when its retries have run out."""
    error = BackendStoreError("failed to store result on the backend")
    error.task_id, error.state = "1", state  # type: ignore[attr-defined]
    return error


class Backend:
    """A result backend that stores nothing."""

    def __init__(self, error: Exception) -> None:
        self.store = Mock(side_effect=error)

    def store_result(self, *args: Any, **options: Any) -> Any:
        """Raise the error."""
        return self.store(*args, **options)


class Tolerant(result_store.OutageTolerant, Backend):
    """The same, as a project has it."""

    app = app


@pytest.fixture
def backend() -> Tolerant:
    return Tolerant(outage("any"))


@pytest.fixture
def in_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(app), "current_worker_task", Mock())


@pytest.mark.usefixtures("in_task")
@pytest.mark.parametrize(("state", "retries"), [(states.STARTED, 0), (states.SUCCESS, result_store.STORE_RETRIES)])
def test_only_an_outcome_is_worth_waiting_for(state: str, retries: int, backend: Tolerant) -> None:
    with structlog.testing.capture_logs() as lines:
        assert backend.store_result("1", "result", state, request=Mock()) == "result"
    assert backend.store.call_args.kwargs["max_retries"] == retries
    assert [(line["event"], line["task_id"], line["state"]) for line in lines] == [("result lost", "1", state)]


def test_the_main_process_does_not_wait(backend: Tolerant) -> None:
    backend.store_result("1", None, states.FAILURE, request=Mock())
    assert backend.store.call_args.kwargs["max_retries"] == 0


@pytest.mark.parametrize(("error", "request_"), [(outage("STOP"), None), (BackendStoreError("too large"), Mock())])
def test_other_failures_are_raised(error: Exception, request_: Any) -> None:
    with pytest.raises(BackendStoreError):
        Tolerant(error).store_result("1", None, "STOP", request=request_)
