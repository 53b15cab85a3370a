"""Middleware that adds an id, a log line and response headers to every request."""

import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from {{ cookiecutter.project_slug }}.request_log import choose_request_id, log_request


class RequestContextMiddleware:
    """Middleware that sets `X-Request-ID`. The log lines of a request and the tasks that it submits carry this id."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.monotonic()
        current_id = choose_request_id(Headers(scope=scope).get("X-Request-ID"))
        status = 500  # the status if the application raises an exception

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = current_id
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=current_id):
            try:
                await self.app(scope, receive, send_with_headers)
            finally:
                # The raw path is percent-encoded, so a client cannot inject line breaks into the log.
                path = scope["raw_path"].decode("ascii", "replace")
                log_request(scope["method"], path, getattr(scope.get("route"), "path", ""), status, started)
