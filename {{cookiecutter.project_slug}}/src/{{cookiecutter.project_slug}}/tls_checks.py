"""The doctor's check of TLS on an open connection."""

from collections.abc import Iterator
from ssl import CERT_REQUIRED, SSLSocket
from typing import Any

from {{ cookiecutter.project_slug }}.findings import Note


def check_tls(socket: Any) -> Iterator[str]:
    """Report a connection that accepts any certificate; note the TLS version."""
    if not isinstance(socket, SSLSocket):
        yield Note("no TLS")
    elif socket.context.verify_mode != CERT_REQUIRED or not socket.context.check_hostname:
        yield "the server's certificate or its name is not verified: remove ssl_cert_reqs from the URL"
    else:
        yield Note(f"{socket.version()}, certificate and host name verified")
{% if plan().features.redis_servers %}


def get_redis_socket(client: Any) -> Any:
    """Return the socket of a Redis client."""
    connection = client.connection_pool.get_connection()
    try:
        return connection._sock
    finally:
        client.connection_pool.release(connection)
{% endif %}
