"""Problem details (RFC 9457), the format of all errors of the HTTP API."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Any

import structlog
from pydantic import BaseModel, Field

from {{ cookiecutter.project_slug }} import submissions

MEDIA_TYPE = "application/problem+json"

UNAVAILABLE = "The broker or the result backend is unavailable. Try again later."

RETRY_AFTER = {"Retry-After": "5"}
"""The header of a 503 response: seconds until the next attempt."""

MAX_REPORTED_ERRORS = 20
"""The maximum number of errors in a response. A malicious request can have thousands."""

MAX_TEXT_LENGTH = 300
"""The maximum length of a reported field name or message. Both can contain input of the client."""


class Problem(BaseModel):
    """Problem details (RFC 9457)."""

    type: str = Field("about:blank", description="The problem type URI; `about:blank` means see `title`.")
    title: str = Field(description="The reason phrase of the HTTP status.", examples=["Not Found"])
    status: int = Field(description="The HTTP status code.", examples=[404])
    detail: str | None = Field(None, description="An explanation of this occurrence of the problem.")
    errors: list[dict[str, str]] | None = Field(None, description="The invalid fields, each with a `message`.")
    request_id: str | None = Field(None, description="The id of the request in the logs.")


def build_problem(status: int, detail: str | None = None, errors: list[dict[str, str]] | None = None) -> dict[str, Any]:
    """Return the body of an error response."""
    request_id = structlog.contextvars.get_contextvars().get("request_id")
    title = HTTPStatus(status).phrase
    problem = Problem(title=title, status=status, detail=detail, errors=errors, request_id=request_id)
    return problem.model_dump(exclude_none=True)


def to_field_errors(errors: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return the errors of pydantic as field and message, without the values, which may be confidential."""
    tasks = submissions.load_models()
    field_errors = []
    for error in [*errors][:MAX_REPORTED_ERRORS]:
        # For a union, pydantic adds the name of the chosen model, here a task, to the location.
        field = ".".join(str(part) for part in error["loc"] if part not in tasks)
        field_errors.append({"field": field[:MAX_TEXT_LENGTH], "message": error["msg"][:MAX_TEXT_LENGTH]})
    return field_errors
