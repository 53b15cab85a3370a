"""Your own tables, in the database of the results: an engine for each process, a session for each request or task."""

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
def engine() -> Engine:
    """Return the engine of this process, which connects when a session needs it."""
    url = str(app.conf.result_backend).removeprefix("db+")
    return create_engine(url, pool_pre_ping=True)  # the server may have closed an idle connection


@worker_process_init.connect
def forget_connections(**_: Any) -> None:
    """Leave the connections of the main process to it: two processes that share one read each other's answers."""
    engine().dispose(close=False)


@contextmanager
def transaction() -> Iterator[Session]:
    """Give a task a session, which is committed at the end of the block, or rolled back by an exception."""
    with Session(engine()) as session, session.begin():
        yield session


def request_session() -> Iterator[Session]:
    """Give a request a session; see `DatabaseSession`."""
    with transaction() as session:
        yield session


DatabaseSession = Annotated[Session, Depends(request_session, scope="function")]
"""The session of a request, for `def show(session: DatabaseSession)`. It is committed before the response is sent."""
