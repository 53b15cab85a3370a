"""The id of a request, which its log lines and the tasks that it submits carry, and its line in the log."""

import re
import time
import uuid

import structlog
{% if plan().features.http_metrics %}

from {{ cookiecutter.project_slug }} import http_metrics
{% endif %}

ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""Ids from clients that are safe in logs and messages."""

log = structlog.get_logger(__name__)


def request_id(given: str | None) -> str:
    """Return the id that the client sent as `X-Request-ID`, or a new one."""
    return given if given and ACCEPTED_ID.fullmatch(given) else str(uuid.uuid4())


def log_request(method: str, path: str, route: str, status: int, started: float) -> None:
    """Log a request that has ended.

    Args:
        method: Its method.
        path: Its path, as the client sent it.
        route: The pattern that the path matched, or "".
        status: The status of the response.
        started: When the request began, by `time.monotonic()`.
    """
    seconds = time.monotonic() - started
    log.info("request", method=method, path=path, status=status, ms=round(seconds * 1000, 1))
{% if plan().features.http_metrics %}
    http_metrics.observe(method, route, status, seconds)
{% endif %}
