"""Processes that a test starts, waits for and always ends."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from types import TracebackType


def free_port() -> int:
    """A TCP port on the loopback address that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_for_port(port: int, process: subprocess.Popen[str], timeout: float) -> None:
    """Return as soon as something accepts connections on the port.

    Raises:
        AssertionError: the process ended, or `timeout` seconds went by.
    """
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        assert process.poll() is None, f"{process.args!r} ended with {process.returncode} before it listened on {port}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        # A refused connection is no event that could be waited for.
        time.sleep(0.02)
    raise AssertionError(f"nothing listened on {port} within {timeout} s")


@contextlib.contextmanager
def at_the_end(*command: str, env: Mapping[str, str] | None = None) -> Iterator[None]:
    """Run a command when this block ends, or when this process dies, even by SIGKILL; its exit status is ignored.

    Tests start servers and workers in sessions of their own, which nobody else would end.
    """
    # The shell reads until the other side of the pipe is closed, which the kernel does for the dead.
    program = ["sh", "-c", 'read -r _; "$@"', "at_the_end", *command]
    with subprocess.Popen(
        program,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ):
        # Popen's own end of the block closes the pipe and waits for the shell.
        yield


class Process:
    """A running program whose output lines can be waited for. Use it in a `with` block, which ends it."""

    def __init__(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], name: str = "") -> None:
        self.name = name or command[0]
        self.lines: list[str] = []
        self._arrived = threading.Condition()
        self._closed = False
        # A session of its own: its children can be ended with it, and a signal meant for it reaches no one else.
        self.popen = subprocess.Popen(
            command,
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        # The group has its first process' id, and no other group gets it while any of its processes lives.
        self._end = contextlib.ExitStack()
        self._end.enter_context(at_the_end("kill", "-s", "KILL", "--", f"-{self.popen.pid}"))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(f"--- {self.name} said:\n{self.output}")
        self.kill()

    def _read(self) -> None:
        assert self.popen.stdout is not None
        with self.popen.stdout as output:
            for line in output:
                with self._arrived:
                    self.lines.append(line.rstrip("\n"))
                    self._arrived.notify_all()
        with self._arrived:
            self._closed = True
            self._arrived.notify_all()

    @property
    def output(self) -> str:
        """What it has printed so far, standard error included."""
        with self._arrived:
            return "\n".join(self.lines)

    def wait_for_line(self, wanted: str | Callable[[str], bool], timeout: float = 30) -> str:
        """The first line that holds `wanted`, or for which it is true.

        Raises:
            AssertionError: the process ended without it, or `timeout` seconds went by.
        """
        matches = (lambda line: wanted in line) if isinstance(wanted, str) else wanted
        until = time.monotonic() + timeout
        seen = 0
        with self._arrived:
            while True:
                for line in self.lines[seen:]:
                    if matches(line):
                        return line
                seen = len(self.lines)
                left = until - time.monotonic()
                if self._closed or left <= 0:
                    why = "ended" if self._closed else f"waited {timeout} s"
                    said = "\n".join(self.lines)
                    raise AssertionError(f"{self.name}: {why}, and no line was {wanted!r}. It said:\n{said}")
                self._arrived.wait(left)

    def terminate(self) -> None:
        """SIGTERM to the process alone, as systemd and Docker do, not to its children."""
        self.popen.send_signal(signal.SIGTERM)

    def wait(self, timeout: float = 30) -> int:
        """Its exit status, when it has ended and its last line has arrived.

        Raises:
            subprocess.TimeoutExpired: it did not end within `timeout` seconds.
        """
        status = self.popen.wait(timeout)
        self._reader.join(timeout)
        return status

    def kill(self) -> None:
        """End it and its children now; no error if they have ended."""
        self._end.close()
        self.popen.wait(10)
        self._reader.join(10)
