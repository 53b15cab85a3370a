"""Request ids, and one log line per request."""

import re
import time
import uuid

import structlog
{% if plan().features.http_metrics %}

from {{ cookiecutter.project_slug }} import http_metrics
{% endif %}

ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""The format of a client's request id that is safe in logs and messages."""

log = structlog.get_logger(__name__)


def choose_request_id(given: str | None) -> str:
    """Return the client's `X-Request-ID` if its format is accepted, otherwise a new id."""
    return given if given and ACCEPTED_ID.fullmatch(given) else str(uuid.uuid4())


def log_request(method: str, path: str, route: str, status: int, started: float) -> None:
    """Log a completed request.

    Args:
        method: The HTTP method.
        path: The path, as the client sent it.
        route: The pattern of the matched route, or "".
        status: The status of the response.
        started: The start time, from `time.monotonic()`.
    """
    seconds = time.monotonic() - started
    log.info("request", method=method, path=path, status=status, duration_seconds=round(seconds, 4))
{% if plan().features.http_metrics %}
    http_metrics.observe(method, route, status, seconds)
{% endif %}
