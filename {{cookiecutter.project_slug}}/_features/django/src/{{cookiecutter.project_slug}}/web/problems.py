"""Problem details in the error responses of the HTTP API."""

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, JsonResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from {{ cookiecutter.project_slug }}.problems import (
    MEDIA_TYPE,
    RETRY_AFTER,
    UNAVAILABLE,
    build_problem,
    to_field_errors,
)
from {{ cookiecutter.project_slug }}.submissions import RefusedError, UnavailableError


def problem_response(
    status: int, detail: str | None = None, errors: list[dict[str, str]] | None = None
) -> JsonResponse:
    """Return an error response."""
    headers = RETRY_AFTER if status == 503 else {}
    body = build_problem(status, detail, errors)
    return JsonResponse(body, status=status, content_type=MEDIA_TYPE, headers=headers)


def add_error_handlers(api: NinjaAPI) -> None:
    """Return the errors of the API as problem details. Django handles and logs unexpected exceptions."""

    @api.exception_handler(HttpError)
    def on_http_error(request: HttpRequest, error: HttpError) -> JsonResponse:
        return problem_response(error.status_code, error.message)

    @api.exception_handler(ValidationError)
    def on_invalid_request(request: HttpRequest, error: ValidationError) -> JsonResponse:
        # django-ninja adds the name of the view's parameter after "body". Clients do not know it.
        errors = [
            each | {"loc": each["loc"][:1] + each["loc"][2:]} if each["loc"][0] == "body" else each
            for each in error.errors
        ]
        return problem_response(422, errors=to_field_errors(errors))

    @api.exception_handler(RequestDataTooBig)
    def on_large_body(request: HttpRequest, error: RequestDataTooBig) -> JsonResponse:
        return problem_response(413)

    @api.exception_handler(RefusedError)
    def on_refused_submission(request: HttpRequest, error: RefusedError) -> JsonResponse:
        return problem_response(error.status, str(error))

    @api.exception_handler(UnavailableError)
    def on_unavailable_server(request: HttpRequest, error: UnavailableError) -> JsonResponse:
        return problem_response(503, UNAVAILABLE)
