"""Queues{{ " and periodic tasks" if plan().features.beat }} in the API and in the admin."""

import pytest
{% if plan().features.beat %}
from celery.beat import ScheduleEntry
{% endif %}
from django.contrib.auth.models import Permission
from django.test import Client
{% if plan().features.database_schedule %}
from django_celery_beat.models import PeriodicTask
{% endif %}

{% if plan().features.database_schedule %}
from {{ cookiecutter.project_slug }}.celery_app import app
{% endif %}
{% if plan().features.beat %}
from {{ cookiecutter.project_slug }}.control import actions, store
{% else %}
from {{ cookiecutter.project_slug }}.control import store
{% endif %}
{% if plan().features.database_schedule %}
from {{ cookiecutter.project_slug }}.periodic.sync import sync
{% endif %}
from {{ cookiecutter.project_slug }}.queues import QueueName
{% if plan().features.beat %}
from {{ cookiecutter.project_slug }}.schedule import BEAT_SCHEDULE
{% endif %}

from ..factories import UserFactory

pytestmark = pytest.mark.django_db(transaction=True)

PAGE = "/admin/control/pause/"
QUEUE = next(iter(QueueName)).value
{% if plan().features.beat %}
ENTRY = next(iter(BEAT_SCHEDULE))
TASK_ID = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(autouse=True)
def published(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str | None, str]]:
    """Return the names of the entries that are run now, each with the user."""
    names: list[tuple[str | None, str]] = []

    def record(entry: ScheduleEntry, actor: str) -> str:
        names.append((entry.name, actor))
        return TASK_ID

    monkeypatch.setattr(actions, "run_now", record)
{% if plan().features.database_schedule %}
    sync(app)
{% endif %}
    return names
{% endif %}


@pytest.fixture
def staff(client: Client) -> Client:
    """Return a client of a user of the admin with all permissions of the app."""
    user = UserFactory.create(is_staff=True, username="alice")
    user.user_permissions.set(Permission.objects.filter(content_type__app_label__in=("control", "web")))
    client.force_login(user)
    return client


def find_paused(client: Client, path: str) -> list[str]:
    """Return the names of what is paused."""
    return [item["name"] for item in client.get(path).json() if item["paused"]]


def test_a_queue_is_paused_and_resumed_by_http(staff: Client) -> None:
    for _ in range(2):
        assert staff.post(f"/queues/{QUEUE}/pause").status_code == 204
    assert find_paused(staff, "/queues") == [QUEUE]
    assert [pause.by for pause in store.list_pauses()] == ["alice"]
    for _ in range(2):
        assert staff.post(f"/queues/{QUEUE}/resume").status_code == 204
    assert find_paused(staff, "/queues") == []
    response = staff.post("/queues/unknown/pause")
    assert (response.status_code, response.json()["detail"]) == (
        404,
        f"No queue has the name 'unknown'. Names: {', '.join(QueueName)}.",
    )
{% if plan().features.beat %}


def test_a_periodic_task_is_paused_run_and_resumed_by_http(
    staff: Client, published: list[tuple[str | None, str]]
) -> None:
    assert staff.post(f"/schedule/{ENTRY}/pause").status_code == 204
    assert find_paused(staff, "/schedule") == [ENTRY]
    response = staff.post(f"/schedule/{ENTRY}/run")
    assert (response.status_code, response.json()) == (202, {"id": TASK_ID})
    assert published == [(ENTRY, "alice")]
    assert staff.post(f"/schedule/{ENTRY}/resume").status_code == 204
    assert find_paused(staff, "/schedule") == []
    assert staff.post("/schedule/unknown/run").status_code == 404
{% endif %}


def test_the_page_of_the_admin_has_a_button_for_each_action(staff: Client) -> None:
    assert f'href="{PAGE}"' in staff.get("/admin/").content.decode()
    assert f'<button name="pause_queue" value="{QUEUE}">' in staff.get(PAGE).content.decode()
    page = staff.post(PAGE, {"pause_queue": QUEUE}, follow=True).content.decode()
    assert f"Pause queue: {QUEUE}" in page
    assert "by alice" in page
    assert f'<button name="resume_queue" value="{QUEUE}">' in page
    staff.post(PAGE, {"resume_queue": QUEUE})
    assert store.list_pauses() == []
    assert "No queue has the name" in staff.post(PAGE, {"pause_queue": "unknown"}, follow=True).content.decode()
{% if plan().features.control_schedule %}


def test_the_page_of_the_admin_runs_and_pauses_periodic_tasks(
    staff: Client, published: list[tuple[str | None, str]]
) -> None:
    staff.post(PAGE, {"run_periodic_task": ENTRY})
    assert published == [(ENTRY, "alice")]
    page = staff.post(PAGE, {"pause_periodic_task": ENTRY}, follow=True).content.decode()
    assert f'<button name="resume_periodic_task" value="{ENTRY}">' in page
    staff.post(PAGE, {"resume_periodic_task": ENTRY})
    assert store.list_pauses() == []
{% endif %}
{% if plan().features.database_schedule %}


def test_the_admin_disables_and_runs_periodic_tasks(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client.force_login(UserFactory.create(is_staff=True, is_superuser=True))
    row = PeriodicTask.objects.get(name=ENTRY)
    sent: list[str] = []
    monkeypatch.setattr(app, "send_task", lambda name, *_, **__: sent.append(name))
    for action in ("disable_tasks", "run_tasks"):
        client.post("/admin/django_celery_beat/periodictask/", {"action": action, "_selected_action": [row.pk]})
    assert sent == [row.task]
    assert find_paused(client, "/schedule") == [ENTRY]
    sync(app)  # a new release
    assert find_paused(client, "/schedule") == [ENTRY]
{% endif %}


def test_the_page_of_the_admin_requires_permissions(staff: Client) -> None:
    user = UserFactory.create(is_staff=True)
    staff.force_login(user)
    assert staff.get(PAGE).status_code == 403
    user.user_permissions.add(Permission.objects.get(codename="view_pause"))
    assert "<button name" not in staff.get(PAGE).content.decode()
    assert staff.post(PAGE, {"pause_queue": QUEUE}).status_code == 403
    assert staff.post(PAGE, {"drop_tables": QUEUE}).status_code == 403
    assert store.list_pauses() == []
