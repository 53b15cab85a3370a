"""Retry by policy: the task says which failures pass by themselves, and Celery does the rest."""

import http.client
from urllib.parse import urlsplit

import structlog
from celery import shared_task

log = structlog.get_logger()


class TemporaryError(Exception):
    """The other side cannot answer now; it may in a while."""


class PermanentError(Exception):
    """Asking again would not help."""


@shared_task(
    autoretry_for=(TemporaryError, OSError),  # what passes by itself, and nothing else
    retry_backoff=2,  # seconds before the first retry, doubled each time
    retry_backoff_max=600,  # seconds at most
    retry_jitter=True,  # so that a thousand tasks that failed together do not return together
    max_retries=5,
)
def check_page(url: str) -> None:
    """Ask for a page's head, and again when its server is unreachable, busy or broken.

    Raises:
        PermanentError: the server says that the request itself is wrong; not retried.
    """
    parts = urlsplit(url)
    connect = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = connect(parts.netloc, timeout=10)  # seconds; without it a silent server holds the task
    try:
        connection.request("HEAD", parts.path or "/")
        status = connection.getresponse().status
    finally:
        connection.close()
    if status >= http.client.INTERNAL_SERVER_ERROR or status == http.client.TOO_MANY_REQUESTS:
        raise TemporaryError(f"{url} answered {status}")
    if status >= http.client.BAD_REQUEST:
        raise PermanentError(f"{url} answered {status}")
    log.info("page is there", url=url, status=status)
