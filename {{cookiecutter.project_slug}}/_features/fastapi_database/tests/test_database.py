"""A request and a task have a session, and a process of the pool has its own connections."""

from collections.abc import Iterator

import pytest
from celery.signals import worker_process_init
from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Connection, text

from {{ cookiecutter.project_slug }}.database import DatabaseSession, engine, transaction


@pytest.fixture(autouse=True)
def orders() -> Iterator[None]:
    """A table of the project's own."""
    with transaction() as session:
        session.execute(text("CREATE TABLE orders (name text)"))
    yield
    with transaction() as session:
        session.execute(text("DROP TABLE orders"))


def names() -> list[str]:
    with transaction() as session:
        return list(session.scalars(text("SELECT name FROM orders")))


def add(session: DatabaseSession, name: str) -> None:
    session.execute(text("INSERT INTO orders VALUES (:name)"), {"name": name})
    if name == "refused":
        raise ValueError(name)


@pytest.fixture
def client() -> TestClient:
    """A client of an API that adds rows to the table."""
    api = FastAPI()
    api.post("/orders/{name}")(add)
    return TestClient(api, raise_server_exceptions=False)


def test_a_request_is_one_transaction(client: TestClient) -> None:
    assert client.post("/orders/first").status_code == 200
    assert client.post("/orders/refused").status_code == 500
    assert names() == ["first"]


def test_a_request_whose_commit_fails_has_failed(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Connection) -> None:
        raise ValueError("the disk is full")

    monkeypatch.setattr(engine().dialect, "do_commit", refuse)
    assert client.post("/orders/first").status_code == 500


def test_a_task_is_one_transaction() -> None:
    with transaction() as session:
        add(session, "first")
    with pytest.raises(ValueError, match="refused"), transaction() as session:
        add(session, "refused")
    assert names() == ["first"]


def test_a_process_of_the_pool_makes_its_own_connections() -> None:
    names()
    inherited = engine().pool
    worker_process_init.send(None)
    assert engine().pool is not inherited
