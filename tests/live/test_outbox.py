"""The extra `outbox`: tasks of killed callers, killed relays, broker outages and invalid messages."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.conftest import count
from tests.live.service import Service
from tests.support.proxy import Proxy, get_port, route_through

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.bakery import Bakery
    from tests.support.environments import Environment
    from tests.support.postgres import Postgres
    from tests.support.processes import Process
    from tests.support.servers import Servers

pytestmark = pytest.mark.slow

RELAYS = {
    "django": ["python", "-m", "django", "relay_outbox"],
    "fastapi": ["python", "-m", "boxed.outbox"],
}
TABLES = {"django": "outbox_outboxmessage", "fastapi": "outbox_messages"}

# `commit`, `roll_back` and `relay` run in child processes, which kill themselves.
DJANGO = """
import django
django.setup()
from django.core.management import call_command
from django.db import connection, transaction
from boxed.outbox.models import OutboxMessage
from boxed.tasks.default import ping

def store(*names):
    for name in names:
        ping.apply_async_in_transaction((name,), task_id=name)

def store_invalid(name):
    with transaction.atomic():
        store(name)
        OutboxMessage.objects.filter(task_id=name).update(options='{"queue": "missing"}')

def disconnect():
    connection.close()

def clear():
    OutboxMessage.objects.all().delete()

def count_messages():
    return OutboxMessage.objects.count()

@contextmanager
def lock(name):
    with transaction.atomic():
        yield bool(OutboxMessage.objects.select_for_update(skip_locked=True).filter(task_id=name))

def commit():
    with transaction.atomic():
        store("stored")
        transaction.on_commit(die)
        ping.apply_async_on_commit(("lost",), task_id="lost")

def roll_back():
    with transaction.atomic():
        store("rolled-back")
        transaction.set_rollback(True)
    with transaction.atomic():
        store("uncommitted")
        die()

def relay():
    OutboxMessage.delete = die
    call_command("relay_outbox")
"""
FASTAPI = """
from sqlalchemy import delete, event, func, select, update
from sqlalchemy.orm import Session
from boxed.database import get_engine, transaction
from boxed.outbox.models import OutboxMessage, create_table
from boxed.outbox.relay import Relay
from boxed.tasks.default import ping

def store_in(session, name):
    ping.apply_async_in_transaction(session, (name,), task_id=name)

def store(*names):
    for name in names:
        with transaction() as session:
            store_in(session, name)

def store_invalid(name):
    with transaction() as session:
        store_in(session, name)
        invalid = update(OutboxMessage).values(options='{"queue": "missing"}')
        session.execute(invalid.where(OutboxMessage.task_id == name))

def disconnect():
    get_engine().dispose()

def clear():
    create_table()
    with transaction() as session:
        session.execute(delete(OutboxMessage))

def count_messages():
    with transaction() as session:
        return session.scalar(select(func.count(OutboxMessage.id)))

@contextmanager
def lock(name):
    with transaction() as session:
        row = select(OutboxMessage).where(OutboxMessage.task_id == name).with_for_update(skip_locked=True)
        yield bool(session.scalar(row))

def commit():
    with transaction() as session:
        store_in(session, "stored")
        event.listen(session, "after_commit", die)

def roll_back():
    with Session(get_engine()) as session:
        store_in(session, "rolled-back")
        session.rollback()
    with transaction() as session:
        store_in(session, "uncommitted")
        session.flush()
        die()

def relay():
    Session.delete = die
    Relay().run()
"""
SETUPS = {"django": DJANGO, "fastapi": FASTAPI}
KILLED = """
import os, signal, threading, time
from contextlib import contextmanager

answer = None

def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

def run_killed(function):
    disconnect()  # the child process must not share a connection
    if child := os.fork():
        assert os.waitpid(child, 0)[1] == signal.SIGKILL
    else:
        function()
        os._exit(1)
"""
# Locks the first message, unless a relay was faster, and stores the others by another connection.
HOLD_FIRST_MESSAGE = """
clear()
names = [f"shared-{number}" for number in range(100)]
while answer is None:
    store("held")
    with lock("held") as locked:
        if locked:
            others = threading.Thread(target=store, args=names)
            others.start()
            others.join()
            deadline = time.monotonic() + 20
            while (answer := count_messages()) > 1 and time.monotonic() < deadline:
                time.sleep(0.1)
"""


class OutboxService(Service):
    """A project with an outbox and without workers, so that published messages stay in the queue."""

    @property
    def framework(self) -> str:
        """The framework of the project."""
        return str(self.project.answers["framework"])

    def run_code(self, code: str) -> object:
        """Run Python code that can use the functions of `SETUPS`, and return its variable `answer`."""
        return self.run_python(KILLED + SETUPS[self.framework] + code)

    def start_relay(self, name: str, **variables: str) -> Process:
        """Start a relay."""
        relay = self.start(RELAYS[self.framework], name, **variables)
        relay.wait_for_line("outbox relay started", 60)
        return relay

    def count_published(self) -> Counter[str]:
        """Return the number of messages in the queue by task id."""
        command = ["redis-cli", "-u", self.variables["CELERY_BROKER_URL"], "LRANGE", "default", "0", "-1"]
        output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout
        return Counter(json.loads(line)["headers"]["id"] for line in output.splitlines() if line)


@pytest.fixture
def stored(postgres_server: Postgres, service: OutboxService) -> Callable[[], list[str]]:
    """Return a function that returns the ids of the tasks in the outbox."""
    url = service.variables.get("DATABASE_URL") or service.variables["CELERY_RESULT_BACKEND"]
    return lambda: postgres_server.query(url, f"select task_id from {TABLES[service.framework]} order by id").split()  # noqa: S608


@pytest.fixture(
    scope="module",
    # The tests of a project share its processes, so they run in one process.
    params=[pytest.param(name, marks=pytest.mark.xdist_group(f"outbox-{name}")) for name in RELAYS],
)
def service(
    request: pytest.FixtureRequest,
    bake: Bakery,
    install_project: Callable[..., Environment],
    servers: Servers,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[OutboxService]:
    """Return a project with the tables of the outbox, without processes."""
    django = request.param == "django"
    baked = bake(
        project_name="Boxed",
        framework=request.param,
        result_backend="none" if django else "database",
        queues="default:1",
        beat_jobs="",
        extras="outbox",
    )
    project = baked.copy_to(tmp_path_factory.mktemp("boxed"))
    variables = servers.variables(project)
    if django:
        url: str = request.getfixturevalue("postgres_server").new_database()
        variables["DATABASE_URL"] = url.replace("+psycopg", "")
        variables["DJANGO_SETTINGS_MODULE"] = "boxed.settings.development"
    with OutboxService(project, install_project(project), variables) as running:
        running.run_code("call_command('migrate', verbosity=0)" if django else "create_table()")
        yield running


@pytest.fixture(scope="module")
def proxy(service: OutboxService) -> Iterator[Proxy]:
    """Run a proxy to the broker."""
    with Proxy(get_port(service.variables["CELERY_BROKER_URL"])) as proxy:
        yield proxy


@pytest.fixture(scope="module")
def relay(service: OutboxService, proxy: Proxy) -> Process:
    """Return a relay that connects to the broker through the proxy."""
    return service.start_relay("relay", CELERY_BROKER_URL=route_through(proxy, service.variables["CELERY_BROKER_URL"]))


def test_a_task_survives_a_caller_that_is_killed_after_the_commit(
    service: OutboxService, stored: Callable[[], list[str]], request: pytest.FixtureRequest
) -> None:
    count(request, "live")
    service.run_code("run_killed(commit)\nrun_killed(roll_back)")
    assert stored() == ["stored"]
    assert not service.count_published()


def test_a_task_survives_a_relay_that_is_killed_after_the_publish(
    service: OutboxService, stored: Callable[[], list[str]], request: pytest.FixtureRequest
) -> None:
    """It is published twice, with one id."""
    service.run_code("clear()\nstore('stored')\nrun_killed(relay)")
    assert stored() == ["stored"]
    assert service.count_published() == {"stored": 1}

    request.getfixturevalue("relay")
    service.wait_until(lambda: not stored())
    assert service.count_published() == {"stored": 2}
    assert service.check_health("relay") == ""


def test_a_task_is_published_after_a_broker_outage(
    service: OutboxService, relay: Process, proxy: Proxy, stored: Callable[[], list[str]]
) -> None:
    proxy.refuse()
    service.run_code("store('outage')")
    line = relay.wait_for_line("outbox message not published")
    assert "outage" in line
    assert stored() == ["outage"]

    proxy.restore()
    service.wait_until(lambda: not stored())
    assert service.count_published()["outage"] == 1


def test_the_relay_reconnects_after_a_database_outage(
    service: OutboxService, relay: Process, postgres_server: Postgres, stored: Callable[[], list[str]]
) -> None:
    postgres_server.stop()
    try:
        relay.wait_for_line("database unreachable")
    finally:
        postgres_server.start()
    service.run_code("store('reconnected')")
    service.wait_until(lambda: not stored())
    assert service.count_published()["reconnected"] == 1


def test_an_invalid_message_does_not_block_others(
    service: OutboxService, relay: Process, stored: Callable[[], list[str]]
) -> None:
    service.run_code("store_invalid('invalid')\nstore('valid')")
    service.wait_until(lambda: service.count_published()["valid"] == 1)
    relay.wait_for_line(lambda line: "outbox message not published" in line and "missing" in line)
    assert stored() == ["invalid"]


@pytest.mark.usefixtures("relay")
def test_several_relays_publish_each_message_once(service: OutboxService, stored: Callable[[], list[str]]) -> None:
    """A third process holds the lock of the first message, like a relay that hangs. The others are published."""
    second = service.start_relay("second")
    left = service.run_code(HOLD_FIRST_MESSAGE)
    assert left == 1
    service.wait_until(lambda: not stored())
    published = service.count_published()
    assert [published[f"shared-{number}"] for number in range(100)] == [1] * 100

    second.terminate()
    assert second.wait() == 0


def test_the_command_is_that_of_compose(service: OutboxService) -> None:
    assert f"command: {' '.join(RELAYS[service.framework])}\n" in service.project.read("compose.yaml")
