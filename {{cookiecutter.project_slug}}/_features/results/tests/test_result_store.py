"""Tests of the result backend during an outage."""

from typing import Any
from unittest.mock import Mock

import pytest
import structlog
from celery import states
from celery.exceptions import BackendStoreError

from {{ cookiecutter.project_slug }} import result_store
from {{ cookiecutter.project_slug }}.celery_app import app

STORE_ERROR: Any = BackendStoreError("failed to store result on the backend")
"""The error that Celery raises after the last retry."""
STORE_ERROR.task_id, STORE_ERROR.state = "1", "any"


class Backend:
    """A result backend that stores nothing."""

    def __init__(self, error: Exception) -> None:
        self.store = Mock(side_effect=error)

    def store_result(self, *args: Any, **options: Any) -> Any:
        """Raise the error."""
        return self.store(*args, **options)


class TolerantBackend(result_store.OutageTolerant, Backend):
    """The same backend with the mixin."""

    app = app


@pytest.fixture
def backend() -> TolerantBackend:
    return TolerantBackend(STORE_ERROR)


@pytest.fixture
def in_task(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(app), "current_worker_task", Mock())


@pytest.mark.usefixtures("in_task")
@pytest.mark.parametrize(("state", "retries"), [(states.STARTED, 0), (states.SUCCESS, result_store.STORE_RETRIES)])
def test_only_final_states_are_stored_with_retries(state: str, retries: int, backend: TolerantBackend) -> None:
    with structlog.testing.capture_logs() as lines:
        assert backend.store_result("1", "result", state, request=Mock()) == "result"
    assert backend.store.call_args.kwargs["max_retries"] == retries
    assert [(line["event"], line["task_id"], line["state"]) for line in lines] == [("result lost", "1", state)]


def test_main_process_does_not_retry(backend: TolerantBackend) -> None:
    backend.store_result("1", None, states.FAILURE, request=Mock())
    assert backend.store.call_args.kwargs["max_retries"] == 0


@pytest.mark.parametrize(("error", "request_"), [(STORE_ERROR, None), (BackendStoreError("too large"), Mock())])
def test_other_errors_are_raised(error: Exception, request_: Any) -> None:
    with pytest.raises(BackendStoreError):
        TolerantBackend(error).store_result("1", None, "STOP", request=request_)
