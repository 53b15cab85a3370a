"""The outbox in SQLAlchemy: its transactions, its table and the command of the relay."""

from runpy import run_module
from unittest.mock import Mock

import pytest
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.orm import Session

from {{ cookiecutter.project_slug }}.database import get_engine
from {{ cookiecutter.project_slug }}.outbox import models, relay, store

from .conftest import messages
from .test_outbox import greet


def test_a_rollback_stores_no_task() -> None:
    with Session(get_engine()) as session:
        greet.delay_in_transaction(session, "hello")
        session.rollback()
    assert messages() == []


def test_two_processes_create_the_table_at_the_same_time(monkeypatch: pytest.MonkeyPatch) -> None:
    error = ProgrammingError("CREATE TABLE", {}, Exception("it exists"))
    monkeypatch.setattr(models.Base.metadata, "create_all", create_all := Mock(side_effect=[error, None]))
    models.create_table.__wrapped__()
    assert create_all.call_count == 2


def test_the_relay_continues_after_a_database_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    error = OperationalError("SELECT", {}, Exception("connection refused"))
    monkeypatch.setattr(store, "process_next", Mock(side_effect=error))
    assert not relay.Relay().step()


def test_the_command_runs_the_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay.Relay, "run", run := Mock())
    run_module("{{ cookiecutter.project_slug }}.outbox", run_name="__main__")
    run.assert_called_once_with()
