"""Whether this process works, and whether what it needs does."""

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field

from {{ cookiecutter.project_slug }} import readiness
from {{ cookiecutter.project_slug }}.api.problems import documented
from {{ cookiecutter.project_slug }}.api.security import require_key

router = APIRouter(prefix="/health", tags=["health"])


class Live(BaseModel):
    """That the process answers."""

    live: bool = True


class Ready(BaseModel):
    """Whether what is submitted will be done."""

    ready: bool = Field(description="Whether all of it works.")
    parts: dict[str, bool] = Field(description="Whether each part works: servers, and a worker for each queue.")


@router.get("/live", summary="Whether the process answers")
async def live() -> Live:
    """Needs no key, and asks nobody: if this fails, restart the process."""
    return Live()


@router.get(
    "/ready",
    summary="Whether the broker, the result backend and a worker for each queue are there",
    responses={**documented(401), 503: {"description": "Something does not work; `parts` says what.", "model": Ready}},
    dependencies=[Depends(require_key)],
)
def ready(response: Response) -> Ready:
    """If this fails, what is submitted will have to wait, or is refused."""
    found = readiness.check()
    response.status_code = 200 if found.ready else 503
    return Ready(ready=found.ready, parts=found.parts)
