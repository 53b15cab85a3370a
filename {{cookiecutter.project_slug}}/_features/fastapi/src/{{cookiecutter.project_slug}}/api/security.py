"""Authentication by an API key."""

from typing import Annotated

import structlog
from fastapi import HTTPException, Security
from fastapi.security import APIKeyHeader

from {{ cookiecutter.project_slug }}.api_keys import find_owner

HEADER = APIKeyHeader(
    name="X-API-Key",
    scheme_name="ApiKey",
    description="An API key.",
    auto_error=False,
)


async def require_key(key: Annotated[str | None, Security(HEADER)]) -> str:
    """Return the name of the key's owner, and add it to the log lines of the request.

    Raises:
        HTTPException: The key is missing or invalid (401).
    """
    owner = find_owner(key or "")
    if owner is None:
        raise HTTPException(401, "The header X-API-Key is missing or invalid.", {"WWW-Authenticate": "APIKey"})
    structlog.contextvars.bind_contextvars(client=owner)
    return owner
