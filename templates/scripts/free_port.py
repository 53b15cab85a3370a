def free_port() -> int:
    """Return a free port, chosen by the operating system."""
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port: int = unused.getsockname()[1]
    return port
