@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """Run a Valkey server during the tests, and yield its URL."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port: int = unused.getsockname()[1]
    with ValkeyServer(port=port) as server:
        yield server.connection_url


@pytest.fixture
def redis(url: str) -> Iterator[Redis]:
    """Empty the server, and yield a client of it."""
    client = Redis.from_url(url, decode_responses=True)
    client.config_set("lazyfree-lazy-user-flush", "no")  # free the memory immediately
    client.flushall()
    yield client
    client.config_set("maxmemory", 0)


