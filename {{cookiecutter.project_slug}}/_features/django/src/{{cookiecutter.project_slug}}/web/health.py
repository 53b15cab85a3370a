"""Liveness and readiness, for probes: they have neither a key nor the site's host name."""

from collections.abc import Callable

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from {{ cookiecutter.project_slug }}.readiness import readiness


def live() -> JsonResponse:
    """Answer without any server: if this fails, restart the process."""
    return JsonResponse({"live": True})


def ready() -> JsonResponse:
    """Call the servers and the workers: if this fails, submitted tasks wait or are refused."""
    found = readiness(database=database_answers())
    return JsonResponse(found.model_dump(), status=200 if found.ready else 503)


def database_answers() -> bool:
    """Return whether the database answers, over this thread's connection or a new one."""
    try:
        connection.ensure_connection()
        return connection.is_usable()
    except DatabaseError:
        return False


ANSWERS = {"/health/live": live, "/health/ready": ready}


class HealthMiddleware:
    """Answers `/health/`, and nothing else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Answer, or pass the request on."""
        answer = ANSWERS.get(request.path)
        return answer() if answer else self.get_response(request)
