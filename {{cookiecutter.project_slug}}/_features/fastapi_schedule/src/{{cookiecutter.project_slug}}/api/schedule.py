"""What beat sends, and when."""

from typing import Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, Field

from {{ cookiecutter.project_slug }}.api.problems import documented
from {{ cookiecutter.project_slug }}.api.security import require_key
from {{ cookiecutter.project_slug }}.schedule import BEAT_SCHEDULE

router = APIRouter(tags=["overview"], dependencies=[Depends(require_key)])


class PeriodicJob(BaseModel):
    """A task that beat sends again and again."""

    name: str = Field(description="What it is, and when it runs.")
    task: str = Field(description="The task's name.")
    queue: str = Field(description="The queue that it waits in.")
    arguments: list[Any] = Field(description="Its arguments by position.")
    named_arguments: dict[str, Any] = Field(description="Its arguments by name.")
    expires: float = Field(description="Seconds after which it is dropped if no worker has taken it.")


@router.get("/schedule", summary="List the periodic jobs", responses=documented(401))
async def list_jobs() -> list[PeriodicJob]:
    """The periodic jobs."""
    return [
        PeriodicJob(
            name=name,
            task=job["task"],
            queue=job["options"]["queue"],
            arguments=job.get("args", []),
            named_arguments=job.get("kwargs", {}),
            expires=job["options"]["expires"],
        )
        for name, job in BEAT_SCHEDULE.items()
    ]
