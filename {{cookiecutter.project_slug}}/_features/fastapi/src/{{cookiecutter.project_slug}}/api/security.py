"""Who may ask: whoever has the API key."""

import hmac
from typing import Annotated

from fastapi import HTTPException, Security
from fastapi.security import APIKeyHeader

from {{ cookiecutter.project_slug }}.settings import env

HEADER = APIKeyHeader(
    name="X-API-Key", scheme_name="API key", description="The value of `API_KEY`, a variable.", auto_error=False
)


async def require_key(key: Annotated[str | None, Security(HEADER)]) -> None:
    """Let a request pass that brings the API key.

    Raises:
        HTTPException: it does not; the status is 401.
    """
    # In constant time: how long it takes does not say how much of a wrong key is right. Headers are Latin-1.
    if key is None or not hmac.compare_digest(key.encode("latin-1"), env.api_key.encode()):
        raise HTTPException(401, "The header X-API-Key is missing or wrong.", {"WWW-Authenticate": "APIKey"})
