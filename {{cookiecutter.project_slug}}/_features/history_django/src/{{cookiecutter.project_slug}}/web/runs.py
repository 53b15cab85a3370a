"""The endpoint of the run history."""

from ninja import Query, Router

from {{ cookiecutter.project_slug }}.history import store
from {{ cookiecutter.project_slug }}.history.runs import Run, RunFilter
from {{ cookiecutter.project_slug }}.web.security import ApiRequest, require_permission

router = Router(tags=["overview"])


@router.get("/runs", response=list[Run], summary="List the runs of tasks")
def list_runs(request: ApiRequest, filters: Query[RunFilter]) -> list[Run]:
    """Return the runs that match the filters, the most recent first. `before` is the id of the last run of a page."""
    require_permission(request, "history.view_run")
    return store.list_runs(filters)
