"""Middleware that gives every request an id and a log line, and handles unavailable servers."""

import time
from collections.abc import Callable

import structlog
from django.db import OperationalError as DatabaseError
from django.http import HttpRequest, HttpResponse
from kombu.exceptions import OperationalError as BrokerError

from {{ cookiecutter.project_slug }}.request_log import choose_request_id, log_request
from {{ cookiecutter.project_slug }}.web import problems
from {{ cookiecutter.project_slug }}.web.health import ENDPOINTS

log = structlog.get_logger(__name__)


def get_route(request: HttpRequest) -> str:
    """Return the pattern of the matched route, or ""."""
    if request.resolver_match:
        return f"/{request.resolver_match.route}"
    return request.path if request.path in ENDPOINTS else ""


class RequestMiddleware:
    """Middleware that sets `X-Request-ID`. The log lines of a request and the tasks that it submits carry this id."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Handle a request."""
        started = time.monotonic()
        current_id = choose_request_id(request.headers.get("X-Request-ID"))
        with structlog.contextvars.bound_contextvars(request_id=current_id):
            response = self.get_response(request)
            user = getattr(request, "auth", None)  # set by the API
            with structlog.contextvars.bound_contextvars(**{"client": user.get_username()} if user else {}):
                log_request(str(request.method), request.path, get_route(request), response.status_code, started)
        response["X-Request-ID"] = current_id
        response.setdefault("Cache-Control", "no-store")
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Return 503 if a view, including those of the admin, failed because a server is unavailable."""
        if isinstance(error, DatabaseError):
            log.warning("database unavailable", error=repr(error))
            return problems.problem_response(503, "The database is unavailable.")
        if isinstance(error, BrokerError):
            log.warning("broker unreachable", error=repr(error))
            detail = "The broker is unavailable. Your changes were saved, but the task was not published."
            return problems.problem_response(503, detail)
        return None
