"""Automatic retries for transient errors."""

import http.client
from urllib.parse import urlsplit

import structlog
from celery import shared_task

from {{ cookiecutter.project_slug }}.errors import PermanentError, RetryableError

log = structlog.get_logger(__name__)


@shared_task(
    autoretry_for=(RetryableError, OSError),  # a connection error is an OSError
    max_retries=5,  # the other retry options are those of `BaseTask`
)
def check_page(url: str) -> None:
    """Send a HEAD request. Retry if the server is unreachable, overloaded or fails.

    Raises:
        RetryableError: The response is 429 or 5xx.
        PermanentError: The response is another 4xx. The task is not retried.
    """
    parts = urlsplit(url)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = connect(parts.netloc, timeout=10)  # seconds; the default is no timeout
    try:
        connection.request("HEAD", parts.path or "/")
        status = connection.getresponse().status
    finally:
        connection.close()
    if status >= http.client.INTERNAL_SERVER_ERROR or status == http.client.TOO_MANY_REQUESTS:
        raise RetryableError(f"{url} responded with {status}")
    if status >= http.client.BAD_REQUEST:
        raise PermanentError(f"{url} responded with {status}")
    log.info("page found", url=url, status=status)
