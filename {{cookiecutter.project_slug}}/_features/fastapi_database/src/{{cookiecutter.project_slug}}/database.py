"""SQLAlchemy for tables of the project, in the database of the results.

Each process has an engine, and each request or task has a session.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Annotated, Any

from celery.signals import worker_process_init
from fastapi import Depends
from sqlalchemy import Engine, create_engine
from sqlalchemy.orm import Session

from {{ cookiecutter.project_slug }}.celery_app import app


@cache
def get_engine() -> Engine:
    """Return the engine of this process. It connects on first use."""
    url = str(app.conf.result_backend).removeprefix("db+")
    return create_engine(url, pool_pre_ping=True)  # the server may have closed an idle connection


@worker_process_init.connect
def discard_connections(**_: Any) -> None:
    """Discard the connections that a pool process inherits: two processes must not share a connection."""
    get_engine().dispose(close=False)


@contextmanager
def transaction() -> Iterator[Session]:
    """Return a session for a task. The block commits at its end, and rolls back on an exception."""
    with Session(get_engine()) as session, session.begin():
        yield session


def open_request_session() -> Iterator[Session]:
    """Return the session of a request. Use it as `DatabaseSession`."""
    with transaction() as session:
        yield session


DatabaseSession = Annotated[Session, Depends(open_request_session, scope="function")]
"""The session of a request: `def show(session: DatabaseSession)`. It is committed before the response is sent."""
