"""Clients of the API: people who are logged in, and programs with a key."""

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

LogIn = Callable[..., Client]
KEY = "a key of the tests"


def user_with(*permissions: str) -> User:
    """Return a new user with permissions of the app `web`, for example "view_task"."""
    user = UserFactory.create()
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="web", codename__in=permissions))
    return user


@pytest.fixture
def log_in() -> LogIn:
    """Logs in a new user with permissions of the app `web`, for example `log_in("view_task")`."""

    def client_of_a_person(*permissions: str, enforce_csrf_checks: bool = False) -> Client:
        client = Client(enforce_csrf_checks=enforce_csrf_checks)
        client.force_login(user_with(*permissions))
        return client

    return client_of_a_person


@pytest.fixture
def with_key(monkeypatch: pytest.MonkeyPatch) -> LogIn:
    """Gives a new user with permissions of the app `web` an API key: `with_key("submit_task")`."""

    def client_of_a_program(*permissions: str) -> Client:
        monkeypatch.setattr(api_keys, "KEYS", [(user_with(*permissions).username, KEY)])
        return Client(enforce_csrf_checks=True, headers={"X-API-Key": KEY})

    return client_of_a_program


@pytest.fixture
def request_lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """The log lines of requests."""
    # A separate logger: the other one keeps the processors of its first use.
    monkeypatch.setattr(request_log, "log", structlog.get_logger())
    with capture_logs(processors=[merge_contextvars]) as lines:
        yield lines
