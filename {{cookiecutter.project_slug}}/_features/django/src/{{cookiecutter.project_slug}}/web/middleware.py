"""What happens to every request: it gets an id, and a line in the log."""

import re
import time
import uuid
from collections.abc import Callable

import structlog
from django.db import OperationalError as DatabaseError
from django.http import HttpRequest, HttpResponse
from kombu.exceptions import OperationalError as BrokerError

from {{ cookiecutter.project_slug }}.web import problems

ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""Ids of callers that may go into logs and into messages as they are."""

log = structlog.get_logger(__name__)


class RequestMiddleware:
    """Gives each request an id, `X-Request-ID`, which its log lines and the tasks that it sends carry."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Serve one request."""
        given = request.headers.get("X-Request-ID", "")
        request_id = given if ACCEPTED_ID.fullmatch(given) else str(uuid.uuid4())
        started = time.monotonic()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            response = self.get_response(request)
            took = round((time.monotonic() - started) * 1000, 1)
            log.info("request", method=request.method, path=request.path, status=response.status_code, ms=took)
        response["X-Request-ID"] = request_id
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Say so where a view, the admin's included, had to do without a server."""
        if isinstance(error, DatabaseError):
            log.warning("database is unavailable", error=repr(error))
            return problems.answer(503, "The database is away.")
        if isinstance(error, BrokerError):
            log.warning("broker is unavailable", error=repr(error))
            return problems.answer(503, "The broker is away: what was saved is saved, but its task could not be sent.")
        return None
