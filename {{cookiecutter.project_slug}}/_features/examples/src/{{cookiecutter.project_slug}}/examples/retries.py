"""Retry by policy: the task says which failures pass by themselves, and Celery does the rest."""

import http.client
from urllib.parse import urlsplit

import structlog
from celery import shared_task

from {{ cookiecutter.project_slug }}.errors import PermanentError, RetryableError

log = structlog.get_logger(__name__)


@shared_task(
    autoretry_for=(RetryableError, OSError),  # a connection that is refused or lost passes by itself, too
    max_retries=5,  # the rest of the policy is that of every task (base_task.py)
)
def check_page(url: str) -> None:
    """Ask for a page's head, and again when its server is unreachable, busy or broken.

    Raises:
        RetryableError: the server cannot answer now.
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
        raise RetryableError(f"{url} answered {status}")
    if status >= http.client.BAD_REQUEST:
        raise PermanentError(f"{url} answered {status}")
    log.info("page is there", url=url, status=status)
