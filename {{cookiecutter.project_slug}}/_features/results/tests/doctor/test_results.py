"""Whether the result backend answers."""

import pytest

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.doctor import __main__ as doctor
from {{ cookiecutter.project_slug }}.doctor import results


def test_a_backend_that_is_away_is_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise ConnectionError("connection refused")

    monkeypatch.setattr(type(app.backend), "get_task_meta", refuse)  # of the class: each thread has its own
    (found,) = doctor.examine({"results": results.examine})
    assert (found.check, found.status) == ("results", "failure")
    assert "connection refused" in found.what
