"""Authentication and permissions of the HTTP API. Every client is a Django user."""

from django.contrib.auth import get_user_model
from django.http import HttpRequest
from ninja.errors import AuthorizationError
from ninja.security import APIKeyHeader
from ninja.security.session import SessionAuth

from {{ cookiecutter.project_slug }}.api_keys import find_owner
from {{ cookiecutter.project_slug }}.users.models import User


class ApiRequest(HttpRequest):
    """An authenticated request."""

    auth: User


class ApiKey(APIKeyHeader):
    """Authentication by an API key. The username is the name of the key in `API_KEYS`."""

    param_name = "X-API-Key"

    def authenticate(self, request: HttpRequest, key: str | None) -> User | None:
        """Return the active user that owns the key, or None."""
        owner = find_owner(key or "")
        return get_user_model().objects.filter(username=owner, is_active=True).first() if owner else None


class Session(SessionAuth):
    """Authentication by the session, for example of the admin. Unsafe methods require the CSRF token."""

    def __call__(self, request: HttpRequest) -> User | None:
        """Return the user, or None for an anonymous request (401), whether or not it has a CSRF token."""
        return super().__call__(request) if request.user.is_authenticated else None


def require_permission(request: ApiRequest, permission: str) -> None:
    """Require that the user has a permission.

    Raises:
        AuthorizationError: The user does not have the permission (403).
    """
    if not request.auth.has_perm(permission):
        raise AuthorizationError(message=f"The permission {permission} is required.")
