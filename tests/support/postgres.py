"""A private PostgreSQL server on the loopback address, with a free port and a temporary folder."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.support.processes import Process, free_port, wait_for_port

if TYPE_CHECKING:
    from collections.abc import Iterator


def find_postgres_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs, or None. On Debian it is not on PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


class Postgres:
    """A private PostgreSQL server that can be restarted. The end of the `with` block stops it."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._numbers = itertools.count(1)
        self._stack = contextlib.ExitStack()
        self.port = free_port()
        # It refuses to run as root, and other users cannot read the folders of pytest.
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="postgres-")))
        self._run_as: list[str] = []
        if os.geteuid() == 0:
            user = next(name for name in ("postgres", "nobody") if _user_exists(name))
            shutil.chown(self._folder, user)
            self._run_as = ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"]
        self._server: Process | None = None

    def __enter__(self) -> Self:
        self._run("initdb", "--auth", "trust", "--username", "test", "--no-sync", str(self._folder / "data"))
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._stack.close()

    def start(self, *more: str) -> None:
        """Start the server with options, and wait until it accepts connections."""
        options = [*more, "-h", "127.0.0.1", "-p", str(self.port), "-k", str(self._folder), "-F"]
        command = [*self._run_as, str(self._programs / "postgres"), "-D", str(self._folder / "data"), *options]
        self._server = Process(command, cwd=self._folder, env=os.environ, name="postgres")
        self._server.wait_for_line("ready to accept connections", 60)
        wait_for_port(self.port, self._server.popen, 10)

    def restart_with_tls(self, certificate: Path) -> None:
        """Restart the server with TLS. The key is in the same folder as the certificate."""
        for source, name in ((certificate, "server.crt"), (certificate.with_suffix(".key"), "server.key")):
            copy = shutil.copyfile(source, self._folder / "data" / name)
            copy.chmod(0o600)
            os.chown(copy, self._folder.stat().st_uid, -1)
        self.stop()
        self.start("-c", "ssl=on")

    def stop(self) -> None:
        """Stop the server like a crash: close all connections immediately, without a checkpoint."""
        if self._server is not None:
            self._server.popen.send_signal(signal.SIGQUIT)
            self._server.wait(30)
            self._server = None

    def new_database(self) -> str:
        """Return the SQLAlchemy URL of a new database."""
        name = f"test{next(self._numbers)}"
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "test", name)
        return f"postgresql+psycopg://test@127.0.0.1:{self.port}/{name}?connect_timeout=5"

    def query(self, url: str, statement: str) -> str:
        """Return the output of psql for a statement: a line for each row, with `|` between columns."""
        name = url.rpartition("/")[2].partition("?")[0]
        connection = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "test", "-d", name]
        return self._run("psql", *connection, "--tuples-only", "--no-align", "--command", statement)

    def _run(self, program: str, *arguments: str) -> str:
        command = [*self._run_as, str(self._programs / program), *arguments]
        completed = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, cwd=self._folder)
        assert completed.returncode == 0, completed
        return completed.stdout.strip()


def _user_exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


@contextlib.contextmanager
def run_postgres() -> Iterator[Postgres]:
    """Run a PostgreSQL server.

    Raises:
        LookupError: The server is not installed.
        AssertionError: The server did not start within a minute.
    """
    programs = find_postgres_programs()
    if programs is None:
        raise LookupError("postgresql is not installed")
    with Postgres(programs) as server:
        yield server
