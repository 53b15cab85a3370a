"""Authentication and permissions of the HTTP API. Both kinds of client are users, whose permissions the admin grants."""

from django.contrib.auth import get_user_model
from django.http import HttpRequest
from ninja.errors import AuthorizationError
from ninja.security import APIKeyHeader
from ninja.security.session import SessionAuth

from {{ cookiecutter.project_slug }}.api_keys import owner_of
from {{ cookiecutter.project_slug }}.users.models import User


class ApiRequest(HttpRequest):
    """An authenticated request."""

    auth: User


class ApiKey(APIKeyHeader):
    """A program with a key of `API_KEYS`: it acts as the user whose username is the key's name."""

    param_name = "X-API-Key"

    def authenticate(self, request: HttpRequest, key: str | None) -> User | None:
        """Return the user."""
        owner = owner_of(key or "")
        return get_user_model().objects.filter(username=owner, is_active=True).first() if owner else None


class Session(SessionAuth):
    """A person who is logged in, for example to the admin. Requests that change something need the CSRF token."""

    def __call__(self, request: HttpRequest) -> User | None:
        """Return the user; anonymous requests are a 401, with or without a CSRF token."""
        return super().__call__(request) if request.user.is_authenticated else None


def require(request: ApiRequest, permission: str) -> None:
    """Check the client's permission.

    Raises:
        AuthorizationError: The client does not have it.
    """
    if not request.auth.has_perm(permission):
        raise AuthorizationError(message=f"This needs the permission {permission}.")
