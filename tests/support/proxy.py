"""A TCP proxy that simulates faults between clients and a server."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from types import TracebackType


class Proxy:
    """A TCP proxy to a port of this machine. It runs inside the `with` block."""

    def __init__(self, port: int) -> None:
        self._server_port = port
        self._resumed = threading.Event()
        self._resumed.set()
        self._refusing = False
        self.refused = threading.Semaphore(0)
        """Released once per refused connection."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._half_open: set[socket.socket] = set()
        self._dropped: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._ended = False
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._ended = True
        self._resumed.set()
        self._close_all()
        self._close(self._listener)

    def pause(self) -> None:
        """Forward no data, but accept and keep connections: a silent peer."""
        self._resumed.clear()

    def resume(self) -> None:
        """Forward data again, including the delayed data."""
        self._resumed.set()

    def refuse(self) -> None:
        """Close all connections, and close new ones immediately."""
        self._refusing = True
        self._close_all()

    def restore(self) -> None:
        """Close all connections and forward new ones again. Delayed data is lost."""
        self._close_all()
        self._refusing = False
        self._resumed.set()

    def reset_clients(self) -> None:
        """Close the client connections and keep those to the server, like a firewall that has lost its state."""
        with self._lock:
            self._half_open.update(self._sockets[::2])
            for client in self._sockets[::2]:
                self._close(client)

    def drop_data(self) -> None:
        """Drop the data of the current connections without closing them, like a firewall after an idle timeout."""
        with self._lock:
            self._dropped.update(self._sockets)

    def _close_all(self) -> None:
        with self._lock:
            while self._sockets:
                self._close(self._sockets.pop())

    @staticmethod
    def _close(each: socket.socket) -> None:
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # the `with` block has ended
            if self._refusing:
                client.close()
                self.refused.release()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._server_port))
            except OSError:
                client.close()  # the server may accept the next connection
                continue
            with self._lock:
                self._sockets += [client, server]
                ended = self._ended
            if ended:  # accepted at the end of the `with` block
                self._close_all()
                return
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._forward, args=(source, target), daemon=True).start()

    def _forward(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self._resumed.wait()
                if source not in self._dropped:
                    target.sendall(data)
            if source not in self._half_open:
                target.shutdown(socket.SHUT_WR)


def get_port(url: str) -> int:
    """Return the port of a URL.

    Raises:
        ValueError: The URL has no port.
    """
    port = urlsplit(url).port
    if port is None:
        raise ValueError(f"{url} has no port")
    return port


def route_through(proxy: Proxy, url: str) -> str:
    """Return the URL with the port of the proxy."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{proxy.port}")))
