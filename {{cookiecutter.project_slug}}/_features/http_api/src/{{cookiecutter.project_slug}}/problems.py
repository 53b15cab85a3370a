"""The form of all errors of the HTTP API: problem details (RFC 9457)."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from pydantic import BaseModel, Field

from {{ cookiecutter.project_slug }} import submissions

MEDIA_TYPE = "application/problem+json"

UNAVAILABLE = "The broker or the result backend is unavailable. Nothing was done: try again later."

RETRY_AFTER = {"Retry-After": "5"}
"""The header of a 503: seconds after which a client may try again."""

MOST_ERRORS = 20
"""The errors of a request that are reported; a hostile one may have thousands."""

LONGEST_TEXT = 300
"""The characters of a reported field or message: either can repeat what the client sent."""


class Problem(BaseModel):
    """What went wrong."""

    type: str = Field("about:blank", description="The kind of problem; this one means: see `title`.")
    title: str = Field(description="The status in words.", examples=["Not Found"])
    status: int = Field(description="The status.", examples=[404])
    detail: str | None = Field(None, description="What happened in this request.")
    errors: list[dict[str, str]] | None = Field(None, description="The errors in the request: a `field`, a `message`.")
    request_id: str | None = Field(None, description="The request's id in the logs.")


def problem(status: int, detail: str | None = None, errors: list[dict[str, str]] | None = None) -> dict[str, Any]:
    """Return the body of an error response."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    title = HTTPStatus(status).phrase
    found = Problem(title=title, status=status, detail=detail, errors=errors, request_id=request_id)
    return found.model_dump(exclude_none=True)


def mistakes(errors: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return pydantic's errors without the values, which may be secret. A task's name in the path is no field."""
    tasks = submissions.models()
    found = []
    for error in [*errors][:MOST_ERRORS]:
        field = ".".join(str(part) for part in error["loc"] if part not in tasks)
        found.append({"field": field[:LONGEST_TEXT], "message": error["msg"][:LONGEST_TEXT]})
    return found
