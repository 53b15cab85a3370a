"""A task may wait for its retry, and then take its time, before the broker hands it to another worker."""

import pytest

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.doctor.visibility import room
from {{ cookiecutter.project_slug }}.tasks.{{ plan().default_queue.module }} import ping

TIMEOUT = app.conf.broker_transport_options["visibility_timeout"]


def test_the_settings_leave_room() -> None:
    assert room(app).status == "ok"


@pytest.mark.parametrize("limit", ["time_limit", "retry_backoff_max"])
def test_one_task_without_room_is_a_failure(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ping, limit, TIMEOUT)
    found = room(app)
    assert (found.check, found.status) == ("visibility timeout", "failure")
    assert f"{TIMEOUT} s" in found.what
