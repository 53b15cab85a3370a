"""Private brokers on the loopback address, each with a free port and a temporary folder."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from tests.support.processes import Process, free_port, run_on_exit, wait_for_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Debian's wrapper in /usr/sbin changes the user. The scripts in these folders do not.
RABBITMQ_FOLDERS = ("/usr/lib/rabbitmq/bin", "/opt/homebrew/sbin", "/usr/local/sbin")

DATABASES = 256
VHOSTS = [f"test-{number}" for number in range(1, 49)]


def find_redis_server() -> str | None:
    """Return the path of redis-server or valkey-server, or None."""
    return shutil.which("redis-server") or shutil.which("valkey-server")


def find_rabbitmq_programs() -> Path | None:
    """Return the folder of rabbitmq-server and rabbitmqctl, or None."""
    found = [Path(folder) for folder in RABBITMQ_FOLDERS if (Path(folder) / "rabbitmq-server").is_file()]
    return found[0] if found else None


@contextlib.contextmanager
def run_redis(folder: Path, *tls: str) -> Iterator[Redis]:
    """Run a Redis or Valkey server with its data in `folder`.

    With TLS options, such as `--tls-cert-file`, it accepts only TLS.

    Raises:
        LookupError: The server is not installed.
        AssertionError: The server did not start within 10 s.
    """
    program = find_redis_server()
    if program is None:
        raise LookupError("redis-server is not installed")
    folder.mkdir(parents=True)
    port = free_port()
    command = [program, *(["--port", "0", "--tls-port"] if tls else ["--port"]), str(port), *tls]
    command += ["--bind", "127.0.0.1", "--dir", str(folder)]
    # Only the append-only file, and a database per test.
    command += ["--appendonly", "yes", "--save", "", "--databases", str(DATABASES)]
    with Process(command, cwd=folder, env=os.environ, name="redis-server") as server:
        wait_for_port(port, server.popen, 10)
        yield Redis(port, "rediss" if tls else "redis")


@contextlib.contextmanager
def run_rabbitmq(folder: Path, **tls: object) -> Iterator[RabbitMQ]:
    """Run a RabbitMQ server with its data in `folder`.

    With TLS options, such as `certfile`, it accepts only TLS.

    Raises:
        LookupError: The server is not installed.
        AssertionError: The server did not start within 60 s.
    """
    programs = find_rabbitmq_programs()
    if programs is None:
        raise LookupError("rabbitmq-server is not installed")
    folder.mkdir(parents=True)
    # Created at the start, because rabbitmqctl takes a second of CPU time for each.
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
    # Erlang's port mapper leaves the session of the server, and refuses to exit while a server is registered.
    stop_mapper = (
        f"for _ in 1 2 3 4 5 6 7 8 9; do epmd -port {mapper_port} -kill | grep -q Killed && break; sleep 0.2; done"
    )
    with (
        run_on_exit("sh", "-c", stop_mapper, env=env),
        Process([str(programs / "rabbitmq-server")], cwd=folder, env=env, name="rabbitmq-server") as server,
    ):
        server.wait_for_line("Server startup complete", 60)
        yield RabbitMQ(port, programs, env, "amqps" if tls else "amqp")


class Redis:
    """A running private Redis server."""

    def __init__(self, port: int, scheme: str) -> None:
        self._port = port
        self._scheme = scheme
        self._unused = iter(range(DATABASES))

    def new_database(self) -> str:
        """Return the URL of an unused database."""
        return f"{self._scheme}://127.0.0.1:{self._port}/{next(self._unused)}"


class RabbitMQ:
    """A running private RabbitMQ server."""

    def __init__(self, port: int, programs: Path, env: Mapping[str, str], scheme: str) -> None:
        self._port = port
        self._programs = programs
        self._env = env
        self._scheme = scheme
        self._unused = iter(VHOSTS)

    @contextlib.contextmanager
    def memory_alarm(self) -> Iterator[None]:
        """Block all publishing connections inside the `with` block."""
        set_limit = [str(self._programs / "rabbitmqctl"), "set_vm_memory_high_watermark"]
        subprocess.run([*set_limit, "0.00001"], env=self._env, check=True, capture_output=True)
        try:
            yield
        finally:
            subprocess.run([*set_limit, "0.4"], env=self._env, check=True, capture_output=True)

    def new_vhost(self) -> str:
        """Return the URL of an unused virtual host."""
        return f"{self._scheme}://guest:guest@127.0.0.1:{self._port}/{next(self._unused)}"
