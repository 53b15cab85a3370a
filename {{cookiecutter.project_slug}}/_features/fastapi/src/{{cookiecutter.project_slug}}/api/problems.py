"""Everything that goes wrong is answered in one form: problem details (RFC 9457)."""

from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from {{ cookiecutter.project_slug }}.submissions import MOST_ERRORS, InvalidError, MalformedError, UnavailableError

MEDIA_TYPE = "application/problem+json"

RETRY_AFTER = 5
"""Seconds after which a caller may try again when the broker or the result backend is away."""

DESCRIPTIONS = {
    400: "The body is not JSON that a task's message can carry.",
    401: "The API key is missing or wrong.",
    404: "No task was submitted under this id, or its result has expired.",
    408: "The body did not arrive in time.",
    409: "The task has already ended.",
    413: "The body is too large.",
    415: "The body is not `application/json`.",
    422: "An argument, or a parameter in the path, is wrong; `errors` says which.",
    503: "The broker or the result backend is away: try again later.",
}


class Mistake(BaseModel):
    """One thing that is wrong with a request."""

    field: str = Field(description="Where it is.", examples=["arguments.days"])
    message: str = Field(description="What is wrong with it.", examples=["Field required"])


class Problem(BaseModel):
    """What went wrong."""

    type: str = Field("about:blank", description="The kind of problem; this one says: what `title` says.")
    title: str = Field(description="The status, in words.", examples=["Not Found"])
    status: int = Field(description="The status.", examples=[404])
    detail: str | None = Field(None, description="What happened this time.")
    errors: list[Mistake] | None = Field(None, description="What is wrong with the request.")
    request_id: str | None = Field(None, description="What to look for in the logs.")


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What OpenAPI says of these statuses of an endpoint, for `responses=`."""
    schema = {"$ref": "#/components/schemas/Problem"}
    found: dict[int | str, dict[str, Any]] = {
        status: {"description": DESCRIPTIONS[status], "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }
    if 503 in found:
        found[503]["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
    return found


def answer(
    status: int,
    detail: str | None = None,
    *,
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """The response that says what went wrong."""
    problem = Problem(
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        errors=None if errors is None else [Mistake(**error) for error in errors],
        request_id=structlog.contextvars.get_contextvars().get("request_id"),
    )
    return JSONResponse(problem.model_dump(exclude_none=True), status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Let the application answer all errors in this form."""

    @app.exception_handler(HTTPException)
    async def on_http_exception(request: Request, error: HTTPException) -> Response:
        """What FastAPI itself says, such as 404 and 405, and what our endpoints raise."""
        headers = dict(error.headers or {})
        if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
            # Starlette names the methods of the first route with this path only.
            paths = app.openapi()["paths"]
            here = [path for path in paths if compile_path(path)[0].fullmatch(request.scope["path"])]
            headers["Allow"] = ", ".join(sorted(method.upper() for path in here for method in paths[path]))
        return answer(error.status_code, str(error.detail), headers=headers)

    @app.exception_handler(RequestValidationError)
    async def on_bad_parameter(request: Request, error: RequestValidationError) -> Response:
        errors = [
            {"field": ".".join(map(str, mistake["loc"])), "message": mistake["msg"]}
            for mistake in error.errors()[:MOST_ERRORS]
        ]
        return answer(422, errors=errors)

    @app.exception_handler(InvalidError)
    async def on_invalid_submission(request: Request, error: InvalidError) -> Response:
        return answer(422, errors=error.errors)

    @app.exception_handler(MalformedError)
    async def on_malformed_body(request: Request, error: MalformedError) -> Response:
        return answer(400, str(error))

    @app.exception_handler(UnavailableError)
    async def on_unavailable_server(request: Request, error: UnavailableError) -> Response:
        return answer(503, DESCRIPTIONS[503], headers={"Retry-After": str(RETRY_AFTER)})

    @app.exception_handler(Exception)
    async def on_bug(request: Request, error: Exception) -> Response:
        """A mistake in our own code; the server logs it."""
        return answer(500)
