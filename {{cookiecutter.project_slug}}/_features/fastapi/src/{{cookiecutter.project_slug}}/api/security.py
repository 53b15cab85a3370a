"""Authentication by an API key."""

from typing import Annotated

import structlog
from fastapi import HTTPException, Security
from fastapi.security import APIKeyHeader

from {{ cookiecutter.project_slug }}.api_keys import owner_of

HEADER = APIKeyHeader(
    name="X-API-Key",
    scheme_name="ApiKey",
    description="The value of `API_KEY`, or a key of `API_KEYS`.",
    auto_error=False,
)


async def require_key(key: Annotated[str | None, Security(HEADER)]) -> str:
    """Return the name of the key's owner, which the log lines of the request carry from now on.

    Raises:
        HTTPException: The key is missing or wrong; the status is 401.
    """
    owner = owner_of(key or "")
    if owner is None:
        raise HTTPException(401, "The header X-API-Key is missing or wrong.", {"WWW-Authenticate": "APIKey"})
    structlog.contextvars.bind_contextvars(client=owner)
    return owner
