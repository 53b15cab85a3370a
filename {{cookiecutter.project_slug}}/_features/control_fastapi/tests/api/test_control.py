"""The endpoints of queues{{ " and periodic tasks" if plan().features.beat }}."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

{% if plan().features.beat %}
from {{ cookiecutter.project_slug }}.control import actions, store
{% else %}
from {{ cookiecutter.project_slug }}.control import store
{% endif %}
from {{ cookiecutter.project_slug }}.queues import QueueName
{% if plan().features.beat %}
from {{ cookiecutter.project_slug }}.schedule import BEAT_SCHEDULE
{% endif %}

QUEUE = next(iter(QueueName)).value
{% if plan().features.beat %}
ENTRY = next(iter(BEAT_SCHEDULE))
{% endif %}


def find_paused(client: TestClient, path: str) -> list[str]:
    """Return the names of what is paused."""
    return [item["name"] for item in client.get(path).json() if item["paused"]]


@pytest.mark.usefixtures("no_workers")
def test_a_queue_is_paused_by_the_client_and_resumed(client: TestClient) -> None:
    for _ in range(2):
        assert client.post(f"/queues/{QUEUE}/pause").status_code == 204
    assert find_paused(client, "/queues") == [QUEUE]
    assert [pause.by for pause in store.list_pauses()] == ["default"]
    for _ in range(2):
        assert client.post(f"/queues/{QUEUE}/resume").status_code == 204
    assert find_paused(client, "/queues") == []


def test_an_unknown_name_is_404_with_the_names(client: TestClient) -> None:
    response = client.post("/queues/unknown/pause")
    assert (response.status_code, response.json()["detail"]) == (
        404,
        f"No queue has the name 'unknown'. Names: {', '.join(QueueName)}.",
    )
{% if plan().features.beat %}
    assert client.post("/schedule/unknown/run").status_code == 404


def test_a_periodic_task_is_paused_run_and_resumed(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert client.post(f"/schedule/{ENTRY}/pause").status_code == 204
    assert find_paused(client, "/schedule") == [ENTRY]
    task_id = "00000000-0000-4000-8000-000000000000"
    monkeypatch.setattr(actions, "run_now", lambda entry, actor: task_id)
    response = client.post(f"/schedule/{ENTRY}/run")
    assert (response.status_code, response.json()) == (202, {"id": task_id})
    assert client.post(f"/schedule/{ENTRY}/resume").status_code == 204
    assert find_paused(client, "/schedule") == []
{% endif %}


def test_an_unavailable_database_is_503(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise ConnectionError("refused")

    monkeypatch.setattr(store, "add_pause", fail)
    assert client.post(f"/queues/{QUEUE}/pause").status_code == 503
