"""The context of every request: an id, a line in the log, and headers."""

import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from {{ cookiecutter.project_slug }}.request_log import log_request, request_id


class RequestContext:
    """Gives each request an id, `X-Request-ID`, which its log lines and the tasks that it submits carry."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = time.monotonic()
        own_id = request_id(Headers(scope=scope).get("X-Request-ID"))
        status = 500  # of a request that ends by an exception: the server answers it

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = own_id
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=own_id):
            try:
                await self.app(scope, receive, send_with_headers)
            finally:
                # As it came, percent-encoded: a client cannot add lines to the log.
                path = scope["raw_path"].decode("ascii", "replace")
                log_request(scope["method"], path, getattr(scope.get("route"), "path", ""), status, started)
