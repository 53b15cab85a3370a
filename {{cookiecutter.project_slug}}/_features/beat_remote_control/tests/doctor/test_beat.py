"""One beat is right; none and two are not."""

import pytest

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.doctor import beat


def test_no_beat_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(timeout: float) -> list[dict[str, dict[str, str]]]:
        return [{"default@here": {"ok": "pong"}}]  # a worker

    monkeypatch.setattr(app.control, "ping", answer)
    (found,) = beat.examine()
    assert (found.status, found.what) == ("failure", "none answers, so no job is sent")


def test_two_beats_are_a_failure() -> None:
    assert beat.one_beat(["celerybeat-1@here"]).status == "ok"
    found = beat.one_beat(["celerybeat-1@there", "celerybeat-1@here"])
    assert (found.status, found.what) == ("failure", "celerybeat-1@here, celerybeat-1@there all send every job")


def test_beat_answers() -> None:
    assert app.conf.beat_enable_remote_control
