"""The endpoint of the run history."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from {{ cookiecutter.project_slug }}.api.problems import error_responses
from {{ cookiecutter.project_slug }}.api.security import require_key
from {{ cookiecutter.project_slug }}.history import store
from {{ cookiecutter.project_slug }}.history.runs import Run, RunFilter
from {{ cookiecutter.project_slug }}.submissions import call_with_deadline

router = APIRouter(tags=["overview"], dependencies=[Depends(require_key)])


@router.get("/runs", summary="List the runs of tasks", responses=error_responses(401, 422, 503))
def list_runs(filters: Annotated[RunFilter, Query()]) -> list[Run]:
    """Return the runs that match the filters, the most recent first. `before` is the id of the last run of a page."""
    return call_with_deadline(lambda: store.list_runs(filters))
