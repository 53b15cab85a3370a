"""What happens to every request: it gets an id, and a line in the log."""

import re
import time
import uuid

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ACCEPTED_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""Ids of callers that may go into logs and into messages as they are."""

log = structlog.get_logger(__name__)


class RequestContext:
    """Gives each request an id, `X-Request-ID`, which its log lines and the tasks that it submits carry."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        given = Headers(scope=scope).get("X-Request-ID", "")
        request_id = given if ACCEPTED_ID.fullmatch(given) else str(uuid.uuid4())
        started = time.monotonic()
        status = 0

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                headers["X-Content-Type-Options"] = "nosniff"
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self.app(scope, receive, send_with_id)
            finally:
                took = round((time.monotonic() - started) * 1000, 1)
                # As it came, percent-encoded: a caller cannot write lines of its own into the log.
                path = scope["raw_path"].decode("ascii", "replace")
                log.info("request", method=scope["method"], path=path, status=status, ms=took)
