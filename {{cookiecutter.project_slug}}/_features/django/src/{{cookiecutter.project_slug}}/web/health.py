"""Liveness and readiness probes. They require neither an API key nor an allowed host name."""

from collections.abc import Callable

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from {{ cookiecutter.project_slug }}.readiness import check_readiness


def live() -> JsonResponse:
    """Return 200 without calling a server. If this probe fails, restart the process."""
    return JsonResponse({"live": True})


def ready() -> JsonResponse:
    """Return whether all servers are reachable and every queue has a worker."""
    result = check_readiness(database=is_database_reachable())
    return JsonResponse(result.model_dump(), status=200 if result.ready else 503)


def is_database_reachable() -> bool:
    """Return whether the database is reachable through the connection of this thread or a new one."""
    try:
        connection.ensure_connection()
        return connection.is_usable()
    except DatabaseError:
        return False


ENDPOINTS = {"/health/live": live, "/health/ready": ready}


class HealthMiddleware:
    """Middleware that handles the paths of the probes, before Django checks the host name."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Return the response of a probe, or pass the request on."""
        endpoint = ENDPOINTS.get(request.path)
        return endpoint() if endpoint else self.get_response(request)
