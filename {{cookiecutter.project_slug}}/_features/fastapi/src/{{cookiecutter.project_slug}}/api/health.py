"""Liveness and readiness, for probes: they need no key."""

from fastapi import APIRouter, Response

from {{ cookiecutter.project_slug }}.readiness import Readiness, readiness

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", summary="Liveness")
async def live() -> dict[str, bool]:
    """Answer without any server: if this fails, restart the process."""
    return {"live": True}


@router.get(
    "/ready",
    summary="Readiness",
    responses={503: {"description": "A server does not answer, or a queue has no worker.", "model": Readiness}},
)
def ready(response: Response) -> Readiness:
    """Call the servers and the workers: if this fails, submitted tasks wait or are refused."""
    found = readiness()
    response.status_code = 200 if found.ready else 503
    return found
