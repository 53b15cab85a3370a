"""The table of the pauses, `pauses`, in the database of the results."""

from datetime import UTC, datetime
from functools import cache

from sqlalchemy import Column, MetaData, String, Table, delete, insert, select
from sqlalchemy.exc import IntegrityError

from {{ cookiecutter.project_slug }}.control.pauses import Kind, Pause
from {{ cookiecutter.project_slug }}.history.store import UtcTime, engine

PAUSES = Table(
    "pauses",
    MetaData(),
    Column("kind", String(16), primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("at", UtcTime, nullable=False),
    Column("by", String(255), nullable=False),
)


@cache
def create_table() -> None:
    """Create the table if it is missing."""
    PAUSES.metadata.create_all(engine())


def list_pauses() -> list[Pause]:
    """Return all pauses."""
    create_table()
    with engine().connect() as connection:
        rows = connection.execute(select(PAUSES).order_by(PAUSES.c.kind, PAUSES.c.name))
        return [Pause(row.kind, row.name, row.at, row.by) for row in rows]


def add_pause(kind: Kind, name: str, by: str) -> None:
    """Add a pause. An existing one stays as it is."""
    create_table()
    try:
        with engine().begin() as connection:
            connection.execute(insert(PAUSES).values(kind=kind, name=name, at=datetime.now(UTC), by=by))
    except IntegrityError:
        pass


def delete_pause(kind: Kind, name: str) -> None:
    """Delete a pause if it exists."""
    create_table()
    with engine().begin() as connection:
        connection.execute(delete(PAUSES).where(PAUSES.c.kind == kind, PAUSES.c.name == name))
