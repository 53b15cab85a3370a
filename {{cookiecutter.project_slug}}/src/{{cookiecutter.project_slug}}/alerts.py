"""A message to people when a task fails for good that matters at once.

    @shared_task
    @critical
    def close_the_books() -> None: ...

What fails otherwise is in the logs and in Sentry. Keep the critical ones few, or nobody reads them.
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
    """Mark a task's function as critical; it stands below `@shared_task`."""
    function.critical = True  # type: ignore[attr-defined]
    return function


def is_critical(task: object) -> bool:
    """Whether a task's function is marked so."""
    return getattr(getattr(task, "__wrapped__", None), "critical", False)


def alert(text: str) -> None:
    """Post a text to `ALERT_WEBHOOK_URL`, as JSON that Slack, Mattermost and others take; log it in any case."""
    log.critical("alert", text=text)
    if not env.alert_webhook_url:
        return
    body = json.dumps({"text": text}).encode()
    request = Request(env.alert_webhook_url, body, {"Content-Type": "application/json"})  # noqa: S310  # http or https
    try:
        urlopen(request, timeout=5).close()  # noqa: S310  # settings.py checks the scheme
    except (URLError, OSError) as error:
        log.error("the alert was not delivered", error=repr(error))
