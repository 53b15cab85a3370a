"""A client of the API, in this process."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
import structlog
from fastapi.testclient import TestClient
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from {{ cookiecutter.project_slug }} import readiness, request_log
from {{ cookiecutter.project_slug }}.api import create_app
from {{ cookiecutter.project_slug }}.queues import QueueName

KEY = {"X-API-Key": os.environ["API_KEY"]}


@pytest.fixture(scope="session")
def anybody() -> Iterator[TestClient]:
    """A client without the key. What goes wrong in the API is a response, and not an exception in the test."""
    with TestClient(create_app(), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def client(anybody: TestClient) -> Iterator[TestClient]:
    """A client with the key."""
    anybody.headers.update(KEY)
    yield anybody
    del anybody.headers["X-API-Key"]


@pytest.fixture
def no_worker_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody works on any queue, as far as the API knows."""
    monkeypatch.setattr(readiness, "_last", None)
    monkeypatch.setattr(readiness, "find_workers", lambda: {name: [] for name in QueueName})


@pytest.fixture
def request_lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The log lines of requests."""
    # A separate logger: the other one keeps the processors of its first use.
    monkeypatch.setattr(request_log, "log", structlog.get_logger())
    with capture_logs(processors=[merge_contextvars]) as lines:
        yield lines
