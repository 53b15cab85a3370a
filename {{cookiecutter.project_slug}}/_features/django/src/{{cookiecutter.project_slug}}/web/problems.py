"""Everything that goes wrong is answered in one form, problem details (RFC 9457); browsers get Django's pages."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults
from django.views.csrf import csrf_failure as csrf_failure_page

MEDIA_TYPE = "application/problem+json"

RETRY_AFTER = 5
"""Seconds after which a caller may try again when a server is away."""


class ProblemError(Exception):
    """Ends a view.

    Attributes:
        status: of the response.
        detail: what happened this time.
    """

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def answer(status: int, detail: str | None = None, *, errors: list[dict[str, str]] | None = None) -> JsonResponse:
    """The response that says what went wrong.

    Args:
        status: its status.
        detail: what happened this time.
        errors: what is wrong with the request: in each the `field` that it is in, and a `message`.
    """
    problem = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "errors": errors,
        "request_id": structlog.contextvars.get_contextvars().get("request_id"),
    }
    present = {name: value for name, value in problem.items() if value is not None}
    response = JsonResponse(present, status=status, content_type=MEDIA_TYPE)
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response["Retry-After"] = str(RETRY_AFTER)
    return response


def for_browsers(request: HttpRequest) -> bool:
    """Whether who asked would rather have a page."""
    return request.get_preferred_type([MEDIA_TYPE, "text/html"]) == "text/html"


def handler(status: int, page: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A view for `handler400` and the like in urls.py."""

    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return page(request, *args, **kwargs) if for_browsers(request) else answer(status)

    return view


bad_request = handler(400, defaults.bad_request)
permission_denied = handler(403, defaults.permission_denied)
page_not_found = handler(404, defaults.page_not_found)
server_error = handler(500, defaults.server_error)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """What `CSRF_FAILURE_VIEW` names."""
    if for_browsers(request):
        return csrf_failure_page(request, reason)
    return answer(403, f"{reason.rstrip('.')}: send the value of the cookie csrftoken as X-CSRFToken.")
