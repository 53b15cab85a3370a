"""Clients of the API with a session or an API key."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from django.contrib.auth.models import Permission
from django.test import Client
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from {{ cookiecutter.project_slug }} import api_keys, request_log
from {{ cookiecutter.project_slug }}.users.models import User

from ..factories import UserFactory

ClientFactory = Callable[..., Client]
"""Returns a client whose user has the given permissions of the app `web`."""

KEY = "a key of the tests"


def create_user(*permissions: str) -> User:
    """Return a new user with permissions of the app `web`, for example "view_task"."""
    user = UserFactory.create()
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="web", codename__in=permissions))
    return user


@pytest.fixture
def session_client() -> ClientFactory:
    """Return a factory of clients with a session: `session_client("view_task")`."""

    def create_client(*permissions: str, enforce_csrf_checks: bool = False) -> Client:
        client = Client(enforce_csrf_checks=enforce_csrf_checks)
        client.force_login(create_user(*permissions))
        return client

    return create_client


@pytest.fixture
def api_key_client(monkeypatch: pytest.MonkeyPatch) -> ClientFactory:
    """Return a factory of clients with an API key: `api_key_client("submit_task")`."""

    def create_client(*permissions: str) -> Client:
        monkeypatch.setattr(api_keys, "KEYS", [(create_user(*permissions).username, KEY)])
        return Client(enforce_csrf_checks=True, headers={"X-API-Key": KEY})

    return create_client


@pytest.fixture
def request_logs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Return the log lines of requests."""
    # A new logger, since structlog caches the processors of a logger on first use.
    monkeypatch.setattr(request_log, "log", structlog.get_logger())
    with capture_logs(processors=[merge_contextvars]) as lines:
        yield lines
