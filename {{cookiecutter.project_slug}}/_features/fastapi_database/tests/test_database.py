"""Sessions of requests and tasks, and connections of pool processes."""

from collections.abc import Iterator

import pytest
from celery.signals import worker_process_init
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Connection, text

from {{ cookiecutter.project_slug }}.database import DatabaseSession, get_engine, transaction


@pytest.fixture(autouse=True)
def orders_table() -> Iterator[None]:
    """Create the table `orders`, and drop it afterwards."""
    with transaction() as session:
        session.execute(text("CREATE TABLE orders (name text)"))
    yield
    with transaction() as session:
        session.execute(text("DROP TABLE orders"))


def read_names() -> list[str]:
    with transaction() as session:
        return list(session.scalars(text("SELECT name FROM orders")))


def add_order(session: DatabaseSession, name: str) -> None:
    session.execute(text("INSERT INTO orders VALUES (:name)"), {"name": name})
    if name == "invalid":
        raise ValueError(name)


@pytest.fixture
def client() -> TestClient:
    """Return a client of an API that inserts rows into the table."""
    api = FastAPI()
    api.post("/orders/{name}")(add_order)
    return TestClient(api, raise_server_exceptions=False)


def test_a_request_is_one_transaction(client: TestClient) -> None:
    assert client.post("/orders/first").status_code == 200
    assert client.post("/orders/invalid").status_code == 500
    assert read_names() == ["first"]


def test_a_failed_commit_fails_the_request(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: Connection) -> None:
        raise ValueError("the disk is full")

    monkeypatch.setattr(get_engine().dialect, "do_commit", fail)
    assert client.post("/orders/first").status_code == 500


def test_a_task_is_one_transaction() -> None:
    with transaction() as session:
        add_order(session, "first")
    with pytest.raises(ValueError, match="invalid"), transaction() as session:
        add_order(session, "invalid")
    assert read_names() == ["first"]


def test_a_pool_process_opens_its_own_connections() -> None:
    read_names()
    inherited = get_engine().pool
    worker_process_init.send(None)
    assert get_engine().pool is not inherited
