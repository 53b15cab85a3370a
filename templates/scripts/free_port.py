def free_port() -> int:
    """A port that nobody uses. The system chooses it: two who look for one at the same time may find the same."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port: int = unused.getsockname()[1]
    return port
