"""The table of the history, `task_runs`, in the database of the results."""

from datetime import UTC, datetime
from functools import cache
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Engine,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    create_engine,
    delete,
    insert,
    select,
    tuple_,
)
from sqlalchemy.exc import InterfaceError, OperationalError

from {{ cookiecutter.project_slug }}.history.runs import RecordedRun, Run, RunFilter
from {{ cookiecutter.project_slug }}.settings import env

OUTAGES = (InterfaceError, OperationalError)
"""The errors of an unavailable database."""

DELETED_AT_ONCE = 5000
"""The maximum number of rows that `delete_runs` deletes."""


class UtcTime(TypeDecorator[datetime]):
    """A time that is read as UTC. SQLite, which tests use, stores no offset."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Return the time in UTC."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


TASK_RUNS = Table(
    "task_runs",
    MetaData(),
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("task_id", String(255), nullable=False, index=True),
    Column("task", String(255), nullable=False),
    Column("queue", String(255), nullable=False),
    Column("worker", String(255), nullable=False),
    Column("arguments", Text, nullable=False),
    Column("published", UtcTime),
    Column("started", UtcTime),
    Column("ended", UtcTime, nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("retries", Integer, nullable=False),
    Column("error", Text, nullable=False),
    Column("trace_id", String(32), nullable=False),
)
Index("task_runs_ended", TASK_RUNS.c.ended, TASK_RUNS.c.id)
Index("task_runs_task_ended", TASK_RUNS.c.task, TASK_RUNS.c.ended, TASK_RUNS.c.id)
Index("task_runs_outcome_ended", TASK_RUNS.c.outcome, TASK_RUNS.c.ended, TASK_RUNS.c.id)


@cache
def engine() -> Engine:
    """Return the engine of the history in this process. Pool processes do not use it."""
    url = env.celery_result_backend.removeprefix("db+")
    return create_engine(url, pool_size=1, pool_pre_ping=True)  # the server may have closed an idle connection


@cache
def create_table() -> None:
    """Create the table and its indexes if they are missing."""
    TASK_RUNS.metadata.create_all(engine())


def insert_runs(runs: list[RecordedRun]) -> None:
    """Insert runs in one transaction."""
    create_table()
    with engine().begin() as connection:
        connection.execute(insert(TASK_RUNS), runs)


def list_runs(filters: RunFilter) -> list[Run]:
    """Return the runs that match the filters, the most recent first."""
    create_table()
    columns = TASK_RUNS.c
    statement = select(TASK_RUNS).order_by(columns.ended.desc(), columns.id.desc()).limit(filters.limit)
    for name in ("task", "queue", "outcome", "task_id"):
        if value := getattr(filters, name):
            statement = statement.where(columns[name] == value)
    if filters.since:
        statement = statement.where(columns.ended >= filters.since)
    if filters.before is not None:
        last = select(columns.ended, columns.id).where(columns.id == filters.before).scalar_subquery()
        statement = statement.where(tuple_(columns.ended, columns.id) < last)
    with engine().connect() as connection:
        return [Run.model_validate(row) for row in connection.execute(statement)]


def delete_runs(before: datetime) -> int:
    """Delete a part of the runs that ended before a time. Return their number."""
    create_table()
    old = select(TASK_RUNS.c.id).where(TASK_RUNS.c.ended < before).order_by(TASK_RUNS.c.ended).limit(DELETED_AT_ONCE)
    with engine().begin() as connection:
        return connection.execute(delete(TASK_RUNS).where(TASK_RUNS.c.id.in_(old))).rowcount


def close() -> None:
    """Close the connections of this process."""
    engine().dispose()
