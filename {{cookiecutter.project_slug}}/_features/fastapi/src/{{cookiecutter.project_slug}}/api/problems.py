"""Problem details in error responses and in the OpenAPI schema."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException

from {{ cookiecutter.project_slug }}.problems import (
    MEDIA_TYPE,
    RETRY_AFTER,
    UNAVAILABLE,
    Problem,
    build_problem,
    to_field_errors,
)
from {{ cookiecutter.project_slug }}.submissions import RefusedError, UnavailableError

DESCRIPTIONS = {
    400: "The request body cannot be parsed.",
    401: "The API key is missing or invalid.",
{% if plan().features.control_fastapi %}
    404: "The task, dead letter, queue or periodic task does not exist, or the task's result has expired.",
{% else %}
    404: "The task or the dead letter does not exist, or the task's result has expired.",
{% endif %}
{% if plan().features.limits %}
    409: "The task has already ended, is unique and a duplicate, or the `Idempotency-Key` was used for another task.",
{% else %}
    409: "The task has already ended, or the `Idempotency-Key` was used for another task.",
{% endif %}
    422: "The request is invalid. `errors` lists the invalid fields.",
    503: UNAVAILABLE,
}


def error_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of these statuses, for the parameter `responses` of an endpoint."""
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    responses: dict[int | str, dict[str, Any]] = {
        status: {"description": DESCRIPTIONS[status], "content": content} for status in statuses
    }
    if 503 in responses:
        responses[503]["headers"] = {"Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}}}
    return responses


def problem_response(
    status: int,
    detail: str | None = None,
    errors: list[dict[str, str]] | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return an error response."""
    return JSONResponse(build_problem(status, detail, errors), status, headers, MEDIA_TYPE)


def add_error_handlers(app: FastAPI) -> None:
    """Return all errors of the application as problem details, and add their schema to OpenAPI."""

    def openapi() -> dict[str, Any]:
        schema = FastAPI.openapi(app)
        schema["components"]["schemas"]["Problem"] = Problem.model_json_schema()
        return schema

    app.openapi = openapi  # type: ignore[method-assign]

    @app.exception_handler(HTTPException)
    async def on_http_exception(request: Request, error: HTTPException) -> Response:
        """Handle the errors of the endpoints and of FastAPI itself, such as 404 and 405."""
        return problem_response(error.status_code, str(error.detail), headers=dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def on_invalid_request(request: Request, error: RequestValidationError) -> Response:
        return problem_response(422, errors=to_field_errors(error.errors()))

    @app.exception_handler(RefusedError)
    async def on_refused_submission(request: Request, error: RefusedError) -> Response:
        return problem_response(error.status, str(error))

    @app.exception_handler(UnavailableError)
    async def on_unavailable_server(request: Request, error: UnavailableError) -> Response:
        return problem_response(503, UNAVAILABLE, headers=RETRY_AFTER)

    @app.exception_handler(Exception)
    async def on_unhandled_exception(request: Request, error: Exception) -> Response:
        """Handle an unexpected exception. Uvicorn logs it."""
        return problem_response(500)
