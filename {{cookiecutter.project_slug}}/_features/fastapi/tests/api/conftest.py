"""Fixtures for the tests of the API."""

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
def anonymous_client() -> Iterator[TestClient]:
    """Return a client without an API key. Exceptions in the API become responses."""
    with TestClient(create_app(), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def client(anonymous_client: TestClient) -> Iterator[TestClient]:
    """Return a client with an API key."""
    anonymous_client.headers.update(KEY)
    yield anonymous_client
    del anonymous_client.headers["X-API-Key"]


@pytest.fixture
def no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the search for workers: no queue has one."""
    monkeypatch.setattr(readiness, "_cached", None)
    monkeypatch.setattr(readiness, "find_workers", lambda: {name: [] for name in QueueName})


@pytest.fixture
def request_logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Return the log lines of requests."""
    # A new logger, since structlog caches the processors of a logger on first use.
    monkeypatch.setattr(request_log, "log", structlog.get_logger())
    with capture_logs(processors=[merge_contextvars]) as lines:
        yield lines
