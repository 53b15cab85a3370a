"""The models of runs: as a worker records them, as clients receive them, and the filters of a list."""

from datetime import datetime
from typing import Annotated, Literal, TypedDict

from pydantic import AfterValidator, BaseModel, Field

from {{ cookiecutter.project_slug }}.commands import assume_utc

Outcome = Literal["succeeded", "failed", "retried", "lost", "rejected", "revoked", "expired", "ignored"]


def format_runtime(started: datetime | None, ended: datetime) -> str:
    """Return the runtime in seconds, or "" if the run did not start."""
    return f"{(ended - started).total_seconds():.3f}" if started else ""


class RecordedRun(TypedDict):
    """A run that ended, as a worker records it. Times are UTC."""

    task_id: str
    task: str
    queue: str
    worker: str
    arguments: str
    published: datetime | None
    started: datetime | None
    ended: datetime
    outcome: Outcome
    retries: int
    error: str
    trace_id: str


class Run(BaseModel, from_attributes=True):
    """A run of a task."""

    id: int = Field(description="The id of the run. A retry is another run with the same `task_id`.")
    task_id: str = Field(description="The id of the task.")
    task: str = Field(description="The name of the task.")
    queue: str = Field(description="The queue.")
    worker: str = Field(description="The node name of the worker.")
    arguments: str = Field(description="The arguments by name as JSON, redacted, and cut after 2000 characters.")
    published: datetime | None = Field(description="When this run, or this retry, was published.")
    started: datetime | None = Field(description="When the run started; null if it did not start.")
    ended: datetime = Field(description="When the run ended.")
    outcome: Outcome = Field(description="The outcome. `lost`: the process of the run was killed.")
    retries: int = Field(description="The number of retries before this run.")
    error: str = Field(description="The exception that ended the run.")
    trace_id: str = Field(description="The id of the trace, if the publisher is traced.")


class RunFilter(BaseModel):
    """The filters of a list of runs, which is sorted by end, the most recent run first."""

    task: str | None = Field(default=None, description="Only runs of the task with this name.")
    queue: str | None = Field(default=None, description="Only runs of this queue.")
    outcome: Outcome | None = Field(default=None, description="Only runs with this outcome.")
    task_id: str | None = Field(default=None, description="Only runs of the task with this id.")
    since: Annotated[datetime, AfterValidator(assume_utc)] | None = Field(
        default=None, description="Only runs that ended at or after this time, which is UTC unless it has an offset."
    )
    before: int | None = Field(default=None, description="Only runs before the run with this id: the next page.")
    limit: int = Field(default=100, ge=1, le=1000, description="The maximum number of runs.")
