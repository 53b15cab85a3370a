"""The run history in the API and in the admin."""

import pytest
from django.contrib.auth.models import Permission
from django.test import Client

from {{ cookiecutter.project_slug }}.history import store
from {{ cookiecutter.project_slug }}.history.models import Run
from {{ cookiecutter.project_slug }}.users.models import User

from ..factories import UserFactory
from ..history.conftest import RunFactory, make_run

__all__ = ("make_run",)

pytestmark = pytest.mark.django_db(transaction=True)
URL = "/admin/history/run/"


@pytest.fixture(autouse=True)
def runs(make_run: RunFactory) -> None:
    """Store two runs of a task."""
    store.insert_runs([make_run(outcome="retried", ago=1), make_run(retries=1, trace_id="a" * 32)])


def log_in(client: Client, **fields: bool) -> User:
    """Log in a new user."""
    user: User = UserFactory.create(is_staff=True, **fields)
    client.force_login(user)
    return user


def test_the_api_requires_the_permission_of_the_model(client: Client) -> None:
    user = log_in(client)
    assert client.get("/runs").status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_run"))
    assert client.get("/runs").status_code == 200


def test_the_api_lists_and_filters_runs(client: Client) -> None:
    log_in(client, is_superuser=True)
    assert [run["outcome"] for run in client.get("/runs").json()] == ["succeeded", "retried"]
    (run,) = client.get("/runs", {"outcome": "retried", "since": "2026-01-31T00:00"}).json()
    assert (run["task"], run["ended"]) == ("tasks.pay", "2026-01-31T11:59:00Z")
    assert client.get("/runs", {"outcome": "lucky"}).status_code == 422


def test_the_admin_lists_searches_and_shows_runs_read_only(client: Client) -> None:
    log_in(client, is_superuser=True)
    assert client.get(URL).context["cl"].result_count == 2
    for query in ({"q": "a" * 32}, {"outcome": "retried"}, {"queue": "emails", "outcome": "succeeded"}):
        assert client.get(URL, query).context["cl"].result_count == 1, query
    assert client.get(URL, {"task": "other"}).context["cl"].result_count == 0

    run = Run.objects.latest("ended")
    page = client.get(f"{URL}{run.pk}/change/")
    assert f'<a href="{URL}?q={"a" * 32}">' in page.content.decode()
    assert "2.000" in page.content.decode()
    assert client.post(f"{URL}{run.pk}/change/", {"task": "changed"}).status_code == 403
    assert client.get(f"{URL}add/").status_code == 403
    assert client.post(f"{URL}{run.pk}/delete/").status_code == 403
