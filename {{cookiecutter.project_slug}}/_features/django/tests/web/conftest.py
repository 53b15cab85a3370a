"""People who use the views."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from tests.factories import UserFactory

LogIn = Callable[..., Client]


@pytest.fixture
def log_in() -> LogIn:
    """Logs in somebody with permissions of the app `web`, for example `log_in("view_task")`."""

    def client_of_somebody(*permissions: str, enforce_csrf_checks: bool = False) -> Client:
        user = UserFactory.create()
        user.user_permissions.set(Permission.objects.filter(content_type__app_label="web", codename__in=permissions))
        client = Client(enforce_csrf_checks=enforce_csrf_checks)
        client.force_login(user)
        return client

    return client_of_somebody
