"""A door before a server that a test can shut: behind it, the server accepts connections and never answers."""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING, Self
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from types import TracebackType


class Gate:
    """Passes on what clients and a server say to each other, while it is open. Use it in a `with` block."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._open = threading.Event()
        self._open.set()
        self._refusing = False
        self.refused = threading.Semaphore(0)
        """Released once for each connection that was refused."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = []
        self._forgotten: set[socket.socket] = set()
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
        self._open.set()
        self._cut()
        self._close(self._listener)

    def shut(self) -> None:
        """From now on, nothing passes; connections stay, and new ones are accepted."""
        self._open.clear()

    def open(self) -> None:
        """Let pass again, what waited first."""
        self._open.set()

    def refuse(self) -> None:
        """From now on there is nobody: connections end, and so does each new one."""
        self._refusing = True
        self._cut()

    def restore(self) -> None:
        """Let new connections pass again; what the old ones waited for is lost."""
        self._cut()
        self._refusing = False
        self._open.set()

    def forget(self) -> None:
        """Reset the clients' connections and keep those to the server open, as a firewall that has lost its state."""
        with self._lock:
            self._forgotten.update(self._sockets[::2])
            for client in self._sockets[::2]:
                self._close(client)

    def drop(self) -> None:
        """Pass nothing on any more in these connections, and tell nobody, as a firewall that finds them idle."""
        with self._lock:
            self._dropped.update(self._sockets)

    def _cut(self) -> None:
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
                return  # the block has ended
            if self._refusing:
                client.close()
                self.refused.release()
                continue
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                client.close()  # one that the server did not take is no reason to take no other
                continue
            with self._lock:
                self._sockets += [client, server]
                ended = self._ended
            if ended:  # it came while the block ended
                self._cut()
                return
            for source, target in ((client, server), (server, client)):
                threading.Thread(target=self._pass_on, args=(source, target), daemon=True).start()

    def _pass_on(self, source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while said := source.recv(65536):
                self._open.wait()
                if source not in self._dropped:
                    target.sendall(said)
            if source not in self._forgotten:
                target.shutdown(socket.SHUT_WR)


def port_of(url: str) -> int:
    """The port in a URL.

    Raises:
        ValueError: it names none.
    """
    port = urlsplit(url).port
    if port is None:
        raise ValueError(f"{url} has no port")
    return port


def through(gate: Gate, url: str) -> str:
    """The same URL of a server on this machine, by way of the gate."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.replace(f":{parts.port}", f":{gate.port}")))
