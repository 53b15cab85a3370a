"""Errors as problem details, in responses and in the OpenAPI description."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from {{ cookiecutter.project_slug }}.problems import MEDIA_TYPE, RETRY_AFTER, UNAVAILABLE, Problem, mistakes, problem
from {{ cookiecutter.project_slug }}.submissions import RefusedError, UnavailableError

DESCRIPTIONS = {
    400: "The body cannot be parsed.",
    401: "The API key is missing or wrong.",
    404: "No task was submitted under this id, or its result has expired.",
    409: "The task has already ended, or the key belongs to another submission.",
    422: "The request is invalid; `errors` has the reasons.",
    503: UNAVAILABLE,
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the description of these statuses, for `responses=` of an endpoint."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    found: dict[int | str, dict[str, Any]] = {
        status: {"description": DESCRIPTIONS[status], "content": content} for status in statuses
    }
    if 503 in found:
        found[503]["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return found


def answer(
    status: int,
    detail: str | None = None,
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return the response for an error."""
    return JSONResponse(problem(status, detail, errors), status, headers, MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Answer all errors of the application in this form, and describe it."""

    def openapi() -> dict[str, Any]:
        described = FastAPI.openapi(app)
        described["components"]["schemas"]["Problem"] = Problem.model_json_schema()
        return described

    app.openapi = openapi  # type: ignore[method-assign]

    @app.exception_handler(HTTPException)
    async def on_http_exception(request: Request, error: HTTPException) -> Response:
        """FastAPI's own errors, such as 404 and 405, and those of the endpoints."""
        return answer(error.status_code, str(error.detail), headers=dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def on_invalid_request(request: Request, error: RequestValidationError) -> Response:
        return answer(422, errors=mistakes(error.errors()))

    @app.exception_handler(RefusedError)
    async def on_refused_submission(request: Request, error: RefusedError) -> Response:
        return answer(error.status, str(error))

    @app.exception_handler(UnavailableError)
    async def on_unavailable_server(request: Request, error: UnavailableError) -> Response:
        return answer(503, UNAVAILABLE, headers=RETRY_AFTER)

    @app.exception_handler(Exception)
    async def on_bug(request: Request, error: Exception) -> Response:
        """A bug; the server logs it."""
        return answer(500)
