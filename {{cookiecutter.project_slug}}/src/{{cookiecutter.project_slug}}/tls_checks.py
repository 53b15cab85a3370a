"""The doctor's checks of TLS: what a connection that is open has negotiated."""

from collections.abc import Iterator
from ssl import CERT_REQUIRED, SSLSocket
from typing import Any

from {{ cookiecutter.project_slug }}.findings import Note


def check_tls(socket: Any) -> Iterator[str]:
    """Report a connection that accepts any certificate; note what was negotiated."""
    if not isinstance(socket, SSLSocket):
        yield Note("the connection is not encrypted")
    elif socket.context.verify_mode != CERT_REQUIRED or not socket.context.check_hostname:
        yield "the connection does not verify the server's certificate and its name: remove ssl_cert_reqs from the URL"
    else:
        yield Note(f"{socket.version()}, the server's certificate and its name are verified")
{% if plan().features.redis_servers %}


def redis_socket(client: Any) -> Any:
    """Return the socket of a client of Redis."""
    connection = client.connection_pool.get_connection()
    try:
        return connection._sock
    finally:
        client.connection_pool.release(connection)
{% endif %}
