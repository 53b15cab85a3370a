"""A private PostgreSQL: its own port and folder on the loopback address, gone when the tests end."""

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


def postgres_folder() -> Path | None:
    """Where PostgreSQL's programs are on this machine, or None. Debian keeps the server's off PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


class Postgres:
    """A private PostgreSQL that can be stopped and started again. Use it in a `with` block, which ends it."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._numbers = itertools.count(1)
        self._stack = contextlib.ExitStack()
        self.port = free_port()
        # It refuses to run as root, and pytest's own folders are closed to others.
        self._folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="postgres-")))
        self._as: list[str] = []
        if os.geteuid() == 0:
            user = next(name for name in ("postgres", "nobody") if _exists(name))
            shutil.chown(self._folder, user)
            self._as = ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"]
        self._server: Process | None = None

    def __enter__(self) -> Self:
        self._run("initdb", "--auth", "trust", "--username", "test", "--no-sync", str(self._folder / "data"))
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self._stack.close()

    def start(self, *more: str) -> None:
        """Start the server with options, and wait until it takes connections."""
        options = [*more, "-h", "127.0.0.1", "-p", str(self.port), "-k", str(self._folder), "-F"]
        command = [*self._as, str(self._programs / "postgres"), "-D", str(self._folder / "data"), *options]
        self._server = Process(command, cwd=self._folder, env=os.environ, name="postgres")
        self._server.wait_for_line("ready to accept connections", 60)
        wait_for_port(self.port, self._server.popen, 10)

    def encrypt(self, certificate: Path) -> None:
        """Start it again with TLS; the certificate's key is beside it."""
        for source, name in ((certificate, "server.crt"), (certificate.with_suffix(".key"), "server.key")):
            copy = shutil.copyfile(source, self._folder / "data" / name)
            copy.chmod(0o600)
            os.chown(copy, self._folder.stat().st_uid, -1)
        self.stop()
        self.start("-c", "ssl=on")

    def stop(self) -> None:
        """End the server as a crash would: it cuts its clients off, and writes nothing more."""
        if self._server is not None:
            self._server.popen.send_signal(signal.SIGQUIT)
            self._server.wait(30)
            self._server = None

    def new_database(self) -> str:
        """The URL of a database that nobody has used yet, for SQLAlchemy."""
        name = f"test{next(self._numbers)}"
        self._run("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "test", name)
        return f"postgresql+psycopg://test@127.0.0.1:{self.port}/{name}?connect_timeout=5"

    def query(self, url: str, statement: str) -> str:
        """What psql prints for a statement, in the database of this URL: a line for each row, `|` between columns."""
        name = url.rpartition("/")[2].partition("?")[0]
        connection = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "test", "-d", name]
        return self._run("psql", *connection, "--tuples-only", "--no-align", "--command", statement)

    def _run(self, program: str, *arguments: str) -> str:
        command = [*self._as, str(self._programs / program), *arguments]
        ran = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, cwd=self._folder)
        assert ran.returncode == 0, ran
        return ran.stdout.strip()


def _exists(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True


@contextlib.contextmanager
def private_postgres() -> Iterator[Postgres]:
    """A PostgreSQL that runs inside this block.

    Raises:
        LookupError: it is not installed.
        AssertionError: it does not start within a minute.
    """
    programs = postgres_folder()
    if programs is None:
        raise LookupError("postgresql is not installed")
    with Postgres(programs) as server:
        yield server
