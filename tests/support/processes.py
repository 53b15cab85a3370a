"""Processes of the tests, which are always stopped."""

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
    """Return a free TCP port on the loopback address."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_for_port(port: int, process: subprocess.Popen[str], timeout: float) -> None:
    """Wait until a connection to the port succeeds.

    Raises:
        AssertionError: The process exited, or the timeout expired.
    """
    until = time.monotonic() + timeout
    while time.monotonic() < until:
        assert process.poll() is None, f"{process.args!r} exited with {process.returncode} before it listened on {port}"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        # A refused connection causes no event.
        time.sleep(0.02)
    raise AssertionError(f"nothing listened on {port} within {timeout} s")


@contextlib.contextmanager
def run_on_exit(*command: str, env: Mapping[str, str] | None = None) -> Iterator[None]:
    """Run a command at the end of the `with` block, or when this process exits, even after SIGKILL.

    It stops servers and workers, which run in separate sessions. Its exit status is ignored.
    """
    # The shell reads until the other side of the pipe is closed. The kernel closes it if this process is killed.
    program = ["sh", "-c", 'read -r _; "$@"', "run_on_exit", *command]
    with subprocess.Popen(
        program,
        env=env,
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ):
        # Popen.__exit__ closes the pipe and waits for the shell.
        yield


class Process:
    """A running program with captured output. The end of the `with` block kills it."""

    def __init__(self, command: Sequence[str], *, cwd: Path, env: Mapping[str, str], name: str = "") -> None:
        self.name = name or command[0]
        self.lines: list[str] = []
        self._arrived = threading.Condition()
        self._closed = False
        # A separate session: its children are killed with it, and its signals reach no other process.
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
        # The process group has the PID of its leader, which is not reused while a process of the group runs.
        self._end = contextlib.ExitStack()
        self._end.enter_context(run_on_exit("kill", "-s", "KILL", "--", f"-{self.popen.pid}"))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            error.add_note(f"--- output of {self.name}:\n{self.output}")
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
        """The output so far, including standard error."""
        with self._arrived:
            return "\n".join(self.lines)

    def wait_for_line(self, wanted: str | Callable[[str], bool], timeout: float = 30) -> str:
        """Return the first line that contains `wanted`, or for which `wanted` is true.

        Raises:
            AssertionError: The process exited without this line, or the timeout expired.
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
                remaining = until - time.monotonic()
                if self._closed or remaining <= 0:
                    reason = "exited" if self._closed else f"waited {timeout} s"
                    output = "\n".join(self.lines)
                    raise AssertionError(f"{self.name}: {reason} without the line {wanted!r}. Its output:\n{output}")
                self._arrived.wait(remaining)

    def terminate(self) -> None:
        """Send SIGTERM to the process only, as systemd and Docker do."""
        self.popen.send_signal(signal.SIGTERM)

    def wait(self, timeout: float = 30) -> int:
        """Wait until the process exits and its output is complete. Return the exit status.

        Raises:
            subprocess.TimeoutExpired: The timeout expired.
        """
        status = self.popen.wait(timeout)
        self._reader.join(timeout)
        return status

    def kill(self) -> None:
        """Kill the process and its children."""
        self._end.close()
        self.popen.wait(10)
        self._reader.join(10)
