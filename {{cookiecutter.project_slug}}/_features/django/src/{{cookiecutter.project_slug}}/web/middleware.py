"""The context of every request: an id, a line in the log, and an answer where a server is unavailable."""

import time
from collections.abc import Callable

import structlog
from django.db import OperationalError as DatabaseError
from django.http import HttpRequest, HttpResponse
from kombu.exceptions import OperationalError as BrokerError

from {{ cookiecutter.project_slug }}.request_log import log_request, request_id
from {{ cookiecutter.project_slug }}.web import problems
from {{ cookiecutter.project_slug }}.web.health import ANSWERS

log = structlog.get_logger(__name__)


def route_of(request: HttpRequest) -> str:
    """Return the pattern that a request's path matched, or ""."""
    if request.resolver_match:
        return f"/{request.resolver_match.route}"
    return request.path if request.path in ANSWERS else ""


class RequestMiddleware:
    """Gives each request an id, `X-Request-ID`, which its log lines and the tasks that it sends carry."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve one request."""
        started = time.monotonic()
        own_id = request_id(request.headers.get("X-Request-ID"))
        with structlog.contextvars.bound_contextvars(request_id=own_id):
            response = self.get_response(request)
            user = getattr(request, "auth", None)  # of a request to the API
            with structlog.contextvars.bound_contextvars(**{"client": user.get_username()} if user else {}):
                log_request(str(request.method), request.path, route_of(request), response.status_code, started)
        response["X-Request-ID"] = own_id
        response.setdefault("Cache-Control", "no-store")
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Answer 503 where a view, those of the admin included, failed for want of a server."""
        if isinstance(error, DatabaseError):
            log.warning("database is unavailable", error=repr(error))
            return problems.answer(503, "The database is unavailable.")
        if isinstance(error, BrokerError):
            log.warning("broker is unavailable", error=repr(error))
            return problems.answer(503, "The broker is unavailable: the data is saved, but its task was not sent.")
        return None
