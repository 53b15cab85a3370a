"""The endpoints and the admin of dead letters, on a store that is a list."""

from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from structlog.testing import capture_logs

from {{ cookiecutter.project_slug }} import dead_letter_store as store
from {{ cookiecutter.project_slug }} import http_dead_letters
from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.users.models import User
from {{ cookiecutter.project_slug }}.web import admin

from ..fake_dead_letters import replace_store
from .conftest import ClientFactory

pytestmark = pytest.mark.django_db

LIST = "/admin/web/deadletter/"
QUEUE = QueueName.{{ plan().default_queue.module | upper }}.value
EVERYTHING = ("view_deadletter", "replay_deadletter", "discard_deadletter")


@pytest.fixture(autouse=True)
def letters(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Three dead letters in the store. The first has no traceback and no number of attempts."""
    monkeypatch.setattr(http_dead_letters, "read_lengths", dict)
    fields: list[dict[str, Any]] = [
        {"id": "a/1", "queue": "old", "task": "send", "reason": "KeyError()", "at": ""},
        {"id": "b-2", "queue": QUEUE, "task": "send", "reason": "ValueError()", "at": "2026-01-02T00:00:00+00:00"},
        {"id": "c-3", "queue": QUEUE, "task": "add", "reason": "ValueError()", "at": "2099-01-03T00:00:00+00:00"},
    ]
    run = {"traceback": "Traceback <b>", "attempts": 4}
    details = ({"args": [1], "kwargs": {}} | (run if each["at"] else {}) for each in fields)
    return replace_store(monkeypatch, *(each | more for each, more in zip(fields, details, strict=True)))


@pytest.fixture
def staff_client(session_client: ClientFactory) -> ClientFactory:
    """Return a factory of clients that may use the admin: `staff_client("view_deadletter")`."""

    def create_client(*permissions: str, **options: Any) -> Client:
        client = session_client(*permissions, **options)
        User.objects.update(is_staff=True)
        return client

    return create_client


@pytest.fixture
def _unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Simulate a broker that refuses all connections."""

    def refuse() -> None:
        raise ConnectionError

    monkeypatch.setattr(http_dead_letters, "read_lengths", refuse)


def listed_ids(response: Any) -> list[str]:
    """Return the ids on a page of the admin's list."""
    return [letter.pk for letter in response.context["cl"].result_list]


def messages_of(response: Any) -> list[str]:
    """Return the messages on a page."""
    return [str(message) for message in response.context["messages"]]


def run_action(client: Client, name: str, *ids: str, query: str = "", **values: str) -> HttpResponse:
    """Run an action of the admin's list, and return the page after it."""
    data = {"action": name, "_selected_action": list(ids), **values}
    return client.post(LIST + query, data, follow=True)  # type: ignore[return-value]


def test_the_api_lists_and_shows_dead_letters(session_client: ClientFactory) -> None:
    client = session_client("view_deadletter")
    page = client.get(f"/dead-letters?queue={QUEUE}&until=2026-01-03&limit=1").json()
    assert (page["total"], [item["id"] for item in page["items"]]) == (1, ["b-2"])
    assert "traceback" not in page["items"][0]
    assert client.get("/dead-letters/b-2").json()["traceback"] == "Traceback <b>"
    assert client.get("/dead-letters/3").json()["detail"] == "No dead letter has the id 3."


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "offset=-1", "since=yesterday"])
def test_the_api_refuses_an_invalid_query(session_client: ClientFactory, query: str) -> None:
    response = session_client("view_deadletter").get(f"/dead-letters?{query}")
    assert (response.status_code, response.headers["Content-Type"]) == (422, "application/problem+json")


@pytest.mark.parametrize("action", ["replay", "discard"])
def test_the_api_processes_dead_letters(
    session_client: ClientFactory, action: str, letters: list[dict[str, Any]]
) -> None:
    client, path = session_client(f"{action}_deadletter"), f"/dead-letters/{action}"
    assert client.post(path, {"ids": ["b-2", "x"]}, content_type="application/json").status_code == 404
    assert client.post(path, {}, content_type="application/json").status_code == 422
    assert len(letters) == 3
    with capture_logs() as lines:
        response = client.post(path, {"filter": {"queue": QUEUE}}, content_type="application/json")
    assert response.json() == {"number": 2, "remaining": 0}
    assert [letter["id"] for letter in letters] == ["a/1"]
    actors = [line["actor"] for line in lines if line["event"] == f"dead letters {action}ed"]
    assert actors == [User.objects.get().username]


@pytest.mark.usefixtures("_unreachable")
def test_the_api_returns_503_without_a_broker(session_client: ClientFactory) -> None:
    assert session_client("view_deadletter").get("/dead-letters").status_code == 503


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", ["c-3", "b-2", "a/1"]),
        (f"?queue={QUEUE}", ["c-3", "b-2"]),
        (f"?queue={QUEUE}&task=send", ["b-2"]),
        ("?hours=24", ["c-3"]),
        ("?hours=x", ["c-3", "b-2", "a/1"]),
        ("?q=KeyError", ["a/1"]),
        ("?q=b-2", ["b-2"]),
        ("?o=1.0", ["c-3", "a/1", "b-2"]),
        ("?o=5", ["a/1", "c-3", "b-2"]),
        ("?all=", ["c-3", "b-2", "a/1"]),
    ],
)
def test_the_admin_lists_dead_letters(staff_client: ClientFactory, query: str, ids: list[str]) -> None:
    assert listed_ids(staff_client("view_deadletter").get(LIST + query)) == ids


def test_an_unsupported_condition_in_the_url_is_refused(staff_client: ClientFactory) -> None:
    response = staff_client("view_deadletter").get(f"{LIST}?attempts=4")
    assert response.headers["Location"] == f"{LIST}?e=1"


def test_the_admin_has_pages(staff_client: ClientFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin.DeadLetterAdmin, "list_per_page", 2)
    response = staff_client("view_deadletter").get(f"{LIST}?p=2")
    assert (listed_ids(response), response.context["cl"].result_count) == (["a/1"], 3)


def test_the_admin_shows_a_dead_letter(staff_client: ClientFactory) -> None:
    client = staff_client("view_deadletter")
    shown = client.get(f"{LIST}b-2/change/").content.decode()
    assert "<pre>Traceback &lt;b&gt;</pre>" in shown
    assert "deletelink" not in shown
    assert client.get(f"{LIST}a_2F1/change/").status_code == 200
    assert messages_of(client.get(f"{LIST}x/change/", follow=True))


def test_the_admin_replays_the_selected_dead_letters(
    staff_client: ClientFactory, letters: list[dict[str, Any]]
) -> None:
    response = run_action(staff_client(*EVERYTHING), "replay", "a/1", "c-3")
    assert messages_of(response) == ["Replayed 2 dead letters."]
    assert [letter["id"] for letter in letters] == ["b-2"]


@pytest.mark.parametrize(("action", "verb"), [("replay", "Replayed"), ("delete_selected", "Successfully deleted")])
def test_the_admin_processes_all_of_the_filter(
    staff_client: ClientFactory, action: str, verb: str, letters: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin.DeadLetterAdmin, "list_per_page", 1)
    response = run_action(
        staff_client(*EVERYTHING), action, "c-3", query=f"?queue={QUEUE}", select_across="1", post="yes"
    )
    assert messages_of(response) == [f"{verb} 2 dead letters."]
    assert [letter["id"] for letter in letters] == ["a/1"]


def test_an_action_of_the_admin_processes_the_oldest_ones(
    staff_client: ClientFactory, letters: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admin, "MAX_SELECTED", 2)
    response = run_action(staff_client(*EVERYTHING), "replay", "c-3", select_across="1")
    assert messages_of(response) == [
        "An action processes the oldest 2. 1 dead letter not selected.",
        "Replayed 2 dead letters.",
    ]
    assert [letter["id"] for letter in letters] == ["c-3"]


def test_the_admin_discards_dead_letters_after_a_confirmation(
    staff_client: ClientFactory, letters: list[dict[str, Any]]
) -> None:
    client = staff_client(*EVERYTHING)
    confirmation = run_action(client, "delete_selected", "b-2", "c-3").content.decode()
    assert "Are you sure" in confirmation
    assert confirmation.count('name="_selected_action"') == 2
    assert len(letters) == 3
    with capture_logs() as lines:
        response = run_action(client, "delete_selected", "b-2", "c-3", post="yes")
    assert messages_of(response) == ["Successfully deleted 2 dead letters."]
    assert [line["actor"] for line in lines if line["event"] == "dead letters discarded"] == [
        User.objects.get().username
    ]
    assert "Are you sure" in client.get(f"{LIST}a_2F1/delete/").content.decode()
    client.post(f"{LIST}a_2F1/delete/", {"post": "yes"})
    assert letters == []


def test_a_dead_letter_that_is_not_processed_is_reported(
    staff_client: ClientFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "replay", lambda ids: len(ids) - 1)
    response = run_action(staff_client(*EVERYTHING), "replay", "a/1", "c-3")
    assert messages_of(response) == [
        "Replayed 1 dead letter.",
        "1 dead letter remaining: the queue is not in queues.py, or busy.",
    ]


@pytest.mark.parametrize("permission", [None, "view_deadletter", "replay_deadletter", "discard_deadletter"])
def test_the_admin_requires_permissions(
    staff_client: ClientFactory, permission: str | None, letters: list[dict[str, Any]]
) -> None:
    client = staff_client(*[permission] if permission else [])
    may_view = permission == "view_deadletter"
    assert client.get(LIST).status_code == (200 if may_view else 403)
    assert client.get(f"{LIST}add/").status_code == 403
    if may_view:
        assert client.get(LIST).context["action_form"] is None
    for action in ("replay", "delete_selected"):
        run_action(client, action, "b-2", post="yes")
    assert len(letters) == 3
    client.post(f"{LIST}b-2/delete/", {"post": "yes"})
    assert len(letters) == (2 if permission == "discard_deadletter" else 3)


def test_an_action_of_the_admin_requires_a_csrf_token(
    staff_client: ClientFactory, letters: list[dict[str, Any]]
) -> None:
    client = staff_client(*EVERYTHING, enforce_csrf_checks=True)
    assert run_action(client, "replay", "b-2").status_code == 403
    assert len(letters) == 3


@pytest.mark.usefixtures("_unreachable")
@pytest.mark.parametrize("path", ["", "b-2/change/", "b-2/delete/"])
def test_the_admin_reports_an_unreachable_broker(staff_client: ClientFactory, path: str) -> None:
    response = staff_client(*EVERYTHING).get(LIST + path, follow=True)
    assert response.redirect_chain == [("/admin/", 302)]
    assert messages_of(response) == ["The broker or the result backend is unavailable. Try again later."]
