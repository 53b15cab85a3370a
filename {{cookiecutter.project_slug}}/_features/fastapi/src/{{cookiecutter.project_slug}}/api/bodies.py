"""Bodies of requests, from callers that may be hostile."""

import email.message

import anyio
from fastapi import HTTPException, Request

LARGEST = 64 * 1024
"""Bytes that a body may have: pass ids to a task, not what they stand for."""

SLOWEST = 10.0
"""Seconds in which a body has to arrive."""


async def json_body(request: Request) -> bytes:
    """The bytes of a body that says it is JSON.

    Raises:
        HTTPException: it is something else (415), too large (413), or comes too slowly (408).
    """
    header = email.message.Message()
    header["Content-Type"] = request.headers.get("Content-Type", "")
    if header.get_content_type() != "application/json":
        raise HTTPException(415, "Send the body as application/json.")
    body = bytearray()
    try:
        with anyio.fail_after(SLOWEST):
            async for piece in request.stream():
                body += piece
                if len(body) > LARGEST:
                    raise HTTPException(413, f"A body may have {LARGEST} bytes.", {"Connection": "close"})
    except TimeoutError:
        raise HTTPException(408, f"The body did not arrive within {SLOWEST:.0f} s.", {"Connection": "close"}) from None
    return bytes(body)
