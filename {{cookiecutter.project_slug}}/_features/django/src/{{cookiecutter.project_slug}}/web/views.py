"""What the views have in common: who may use them, and what they say when something goes wrong."""

from collections.abc import Mapping
from typing import Any, ClassVar

from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.cache import add_never_cache_headers
from django.views import View

from {{ cookiecutter.project_slug }}.submissions import InvalidError, MalformedError, UnavailableError
from {{ cookiecutter.project_slug }}.web import problems


class ApiView(View):
    """A view for programs: JSON, for people who are logged in and have a permission, as Django's sessions know them."""

    permissions: ClassVar[Mapping[str, str]]
    """The permission that each method asks for."""

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer, or say why not."""
        response = self._answer(request, *args, **kwargs)
        add_never_cache_headers(response)
        return response

    def http_method_not_allowed(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Name the methods that there are."""
        response = problems.answer(405)
        response["Allow"] = super().http_method_not_allowed(request)["Allow"]
        return response

    def _answer(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        method = "GET" if request.method == "HEAD" else str(request.method)
        if isinstance(request.user, AnonymousUser):
            return problems.answer(401, "Log in at /accounts/login/ first.")
        if method in self.permissions and not request.user.has_perm(self.permissions[method]):
            return problems.answer(403, f"This needs the permission {self.permissions[method]}.")
        try:
            return super().dispatch(request, *args, **kwargs)
        except problems.ProblemError as error:
            return problems.answer(error.status, error.detail)
        except MalformedError as error:
            return problems.answer(400, str(error))
        except InvalidError as error:
            return problems.answer(422, errors=error.errors)
        except UnavailableError:
            return problems.answer(503, "The broker or the result backend is away. Nothing was done: try again later.")
