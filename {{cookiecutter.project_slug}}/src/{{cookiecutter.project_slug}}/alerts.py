"""Alerts by webhook when a critical task fails permanently.

    @shared_task
    @critical
    def close_the_books() -> None: ...

Other failures are in the logs and in Sentry. Mark few tasks as critical, so that their alerts are noticed.
"""

import json
from collections.abc import Callable
from typing import ParamSpec, TypeVar
from urllib.error import URLError
from urllib.request import Request, urlopen

import structlog

from {{ cookiecutter.project_slug }}.settings import env

P = ParamSpec("P")
R = TypeVar("R")

log = structlog.get_logger(__name__)


def critical(function: Callable[P, R]) -> Callable[P, R]:
    """Mark the function of a task as critical. Use this decorator below `@shared_task`."""
    function.critical = True  # type: ignore[attr-defined]
    return function


def is_critical(task: object) -> bool:
    """Return whether the function of a task is marked as critical."""
    return getattr(getattr(task, "__wrapped__", None), "critical", False)


def send_alert(text: str) -> None:
    """Log a text, and post it to `ALERT_WEBHOOK_URL` as JSON in the format of Slack and Mattermost."""
    log.critical("alert raised", text=text)
    if not env.alert_webhook_url:
        return
    body = json.dumps({"text": text}).encode()
    request = Request(env.alert_webhook_url, body, {"Content-Type": "application/json"})  # noqa: S310  # http or https
    try:
        urlopen(request, timeout=5).close()  # noqa: S310  # the settings validate the scheme
    except (URLError, OSError) as error:
        log.error("alert not delivered", error=repr(error))
