"""Errors of the HTTP API as problem details."""

from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, JsonResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from {{ cookiecutter.project_slug }}.problems import MEDIA_TYPE, RETRY_AFTER, UNAVAILABLE, mistakes, problem
from {{ cookiecutter.project_slug }}.submissions import RefusedError, UnavailableError


def answer(status: int, detail: str | None = None, errors: list[dict[str, str]] | None = None) -> JsonResponse:
    """Return the response for an error."""
    headers = RETRY_AFTER if status == 503 else {}
    return JsonResponse(problem(status, detail, errors), status=status, content_type=MEDIA_TYPE, headers=headers)


def install(api: NinjaAPI) -> None:
    """Answer the API's errors in this form; a bug is Django's to answer and to log."""

    @api.exception_handler(HttpError)
    def on_http_error(request: HttpRequest, error: HttpError) -> JsonResponse:
        return answer(error.status_code, error.message)

    @api.exception_handler(ValidationError)
    def on_invalid_request(request: HttpRequest, error: ValidationError) -> JsonResponse:
        # After "body" comes the name of the function's parameter, which clients do not know.
        errors = [
            each | {"loc": each["loc"][:1] + each["loc"][2:]} if each["loc"][0] == "body" else each
            for each in error.errors
        ]
        return answer(422, errors=mistakes(errors))

    @api.exception_handler(RequestDataTooBig)
    def on_large_body(request: HttpRequest, error: RequestDataTooBig) -> JsonResponse:
        return answer(413)

    @api.exception_handler(RefusedError)
    def on_refused_submission(request: HttpRequest, error: RefusedError) -> JsonResponse:
        return answer(error.status, str(error))

    @api.exception_handler(UnavailableError)
    def on_unavailable_server(request: HttpRequest, error: UnavailableError) -> JsonResponse:
        return answer(503, UNAVAILABLE)
