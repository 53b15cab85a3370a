"""Private brokers: each with its own port and folder on the loopback address, gone when the tests end."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.processes import Process, at_the_end, free_port, wait_for_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Debian's wrapper in /usr/sbin changes to another user; the script under it runs as whoever calls it.
RABBITMQ_FOLDERS = ("/usr/lib/rabbitmq/bin", "/opt/homebrew/sbin", "/usr/local/sbin")

DATABASES = 256
VHOSTS = [f"test-{number}" for number in range(1, 49)]


def redis_server() -> str | None:
    """The Redis or Valkey server on this machine, or None."""
    return shutil.which("redis-server") or shutil.which("valkey-server")


def rabbitmq_folder() -> Path | None:
    """Where rabbitmq-server and rabbitmqctl are on this machine, or None."""
    found = [Path(folder) for folder in RABBITMQ_FOLDERS if (Path(folder) / "rabbitmq-server").is_file()]
    return found[0] if found else None


@contextlib.contextmanager
def private_redis(folder: Path, *tls: str) -> Iterator[Redis]:
    """A Redis or Valkey that keeps its data in `folder` and runs inside this block.

    With the options of TLS, such as `--tls-cert-file`, it serves nothing else.

    Raises:
        LookupError: it is not installed.
        AssertionError: it does not start within 10 s.
    """
    program = redis_server()
    if program is None:
        raise LookupError("redis-server is not installed")
    folder.mkdir(parents=True)
    port = free_port()
    command = [program, *(["--port", "0", "--tls-port"] if tls else ["--port"]), str(port), *tls]
    command += ["--bind", "127.0.0.1", "--dir", str(folder)]
    # No file but the append-only one, and a database for whoever asks.
    command += ["--appendonly", "yes", "--save", "", "--databases", str(DATABASES)]
    with Process(command, cwd=folder, env=os.environ, name="redis-server") as server:
        wait_for_port(port, server.popen, 10)
        yield Redis(port, "rediss" if tls else "redis")


@contextlib.contextmanager
def private_rabbitmq(folder: Path, **tls: object) -> Iterator[RabbitMQ]:
    """A RabbitMQ that keeps its data in `folder` and runs inside this block.

    With the options of TLS, such as `certfile`, it serves nothing else.

    Raises:
        LookupError: it is not installed.
        AssertionError: it does not start within 60 s.
    """
    programs = rabbitmq_folder()
    if programs is None:
        raise LookupError("rabbitmq-server is not installed")
    folder.mkdir(parents=True)
    # Made at its start, since its own program for that takes a second of the processor each time.
    hosts = [{"name": name} for name in VHOSTS]
    allowed = [{"user": "guest", "configure": ".*", "write": ".*", "read": ".*", "vhost": name} for name in VHOSTS]
    user = {"name": "guest", "password": "guest", "tags": ["administrator"]}
    definitions = {"vhosts": hosts, "users": [user], "permissions": allowed}
    (folder / "definitions.json").write_text(json.dumps(definitions), encoding="utf-8")
    settings = f"log.console = true\nlog.console.level = info\nload_definitions = {folder / 'definitions.json'}\n"
    (folder / "enabled_plugins").write_text("[].\n", encoding="utf-8")
    port, mapper_port = free_port(), free_port()
    if tls:
        settings += f"listeners.tcp = none\nlisteners.ssl.1 = 127.0.0.1:{port}\n"
        settings += "".join(f"ssl_options.{name} = {value}\n" for name, value in tls.items())
    (folder / "rabbitmq.conf").write_text(settings, encoding="utf-8")
    variables = {
        "HOME": str(folder),
        "RABBITMQ_NODENAME": f"test{port}@localhost",
        "RABBITMQ_NODE_PORT": str(port),
        "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
        "RABBITMQ_DIST_PORT": str(free_port()),
        "RABBITMQ_MNESIA_BASE": str(folder / "data"),
        "RABBITMQ_LOG_BASE": str(folder / "logs"),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "rabbitmq-env.conf"),
        "ERL_EPMD_PORT": str(mapper_port),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
    }
    env = {name: value for name, value in os.environ.items() if not name.startswith("RABBITMQ_")} | variables
    # Erlang's port mapper leaves the session of the server that started it, and refuses to end while it knows a server.
    end_mapper = (
        f"for _ in 1 2 3 4 5 6 7 8 9; do epmd -port {mapper_port} -kill | grep -q Killed && break; sleep 0.2; done"
    )
    with (
        at_the_end("sh", "-c", end_mapper, env=env),
        Process([str(programs / "rabbitmq-server")], cwd=folder, env=env, name="rabbitmq-server") as server,
    ):
        server.wait_for_line("Server startup complete", 60)
        yield RabbitMQ(port, programs, env, "amqps" if tls else "amqp")


class Redis:
    """A running private Redis."""

    def __init__(self, port: int, scheme: str) -> None:
        self._port = port
        self._scheme = scheme
        self._unused = iter(range(DATABASES))

    def new_database(self) -> str:
        """The URL of a database that nobody has used yet."""
        return f"{self._scheme}://127.0.0.1:{self._port}/{next(self._unused)}"


class RabbitMQ:
    """A running private RabbitMQ."""

    def __init__(self, port: int, programs: Path, env: Mapping[str, str], scheme: str) -> None:
        self._port = port
        self._programs = programs
        self._env = env
        self._scheme = scheme
        self._unused = iter(VHOSTS)

    @contextlib.contextmanager
    def memory_alarm(self) -> Iterator[None]:
        """Block every connection that publishes, inside this block."""
        set_limit = [str(self._programs / "rabbitmqctl"), "set_vm_memory_high_watermark"]
        subprocess.run([*set_limit, "0.00001"], env=self._env, check=True, capture_output=True)
        try:
            yield
        finally:
            subprocess.run([*set_limit, "0.4"], env=self._env, check=True, capture_output=True)

    def new_vhost(self) -> str:
        """The URL of a virtual host that nobody has used yet, whose queues no other test sees."""
        return f"{self._scheme}://guest:guest@127.0.0.1:{self._port}/{next(self._unused)}"
