"""Liveness and readiness probes. They require no API key."""

from fastapi import APIRouter, Response

from {{ cookiecutter.project_slug }}.readiness import Readiness, check_readiness

router = APIRouter(prefix="/health", tags=["health"])


@router.get("/live", summary="Liveness")
async def live() -> dict[str, bool]:
    """Return 200 without calling a server. If this probe fails, restart the process."""
    return {"live": True}


@router.get(
    "/ready",
    summary="Readiness",
    responses={503: {"description": "A server is unreachable, or a queue has no worker.", "model": Readiness}},
)
def ready(response: Response) -> Readiness:
    """Return whether all servers are reachable and every queue has a worker."""
    result = check_readiness()
    response.status_code = 200 if result.ready else 503
    return result
