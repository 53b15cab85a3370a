"""The table of the outbox, `outbox_messages`, in the database of the results."""

from datetime import UTC, datetime
from functools import cache

from sqlalchemy import BigInteger, DateTime, Integer, String, Text
from sqlalchemy.exc import IntegrityError, ProgrammingError
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from {{ cookiecutter.project_slug }}.database import get_engine


def now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """The base of the models of the outbox."""


class OutboxMessage(Base):
    """A task that is not published yet. `args`, `kwargs` and `options` are the arguments of `apply_async` as JSON."""

    __tablename__ = "outbox_messages"

    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    task: Mapped[str] = mapped_column(String(255))
    task_id: Mapped[str] = mapped_column(String(255))
    # Text, because the type jsonb changes numbers and rejects some strings that Celery accepts.
    args: Mapped[str] = mapped_column(Text)
    kwargs: Mapped[str] = mapped_column(Text)
    options: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now)
    attempts: Mapped[int] = mapped_column(default=0)  # that failed
    next_attempt_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), default=now, index=True)
    last_error: Mapped[str] = mapped_column(Text, default="")


@cache
def create_table() -> None:
    """Create the table and its index if they are missing."""
    try:
        Base.metadata.create_all(get_engine())
    except (IntegrityError, ProgrammingError):  # another process has created them at the same time
        Base.metadata.create_all(get_engine())
