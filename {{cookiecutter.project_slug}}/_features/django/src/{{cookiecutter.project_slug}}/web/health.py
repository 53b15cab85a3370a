"""Whether this process works, and whether what it needs does: for probes, which have neither a session nor a host name."""

from collections.abc import Callable

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse

from {{ cookiecutter.project_slug }} import readiness


def live() -> JsonResponse:
    """Asks nobody: if this fails, restart the process."""
    return JsonResponse({"live": True})


def ready() -> JsonResponse:
    """If this fails, what is submitted will have to wait, or is refused."""
    found = readiness.check()
    parts = {"database": database_answers(), **found.parts}
    return JsonResponse({"ready": all(parts.values()), "parts": parts}, status=200 if all(parts.values()) else 503)


def database_answers() -> bool:
    """Whether it does, over this thread's connection or a new one."""
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
        if answer is None:
            return self.get_response(request)
        response = answer()
        response["Cache-Control"] = "no-store"
        return response
