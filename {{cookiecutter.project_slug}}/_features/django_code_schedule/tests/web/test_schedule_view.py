"""The periodic jobs are there for those who may look."""

import pytest

from {{ cookiecutter.project_slug }}.schedule import BEAT_SCHEDULE

from .conftest import LogIn


@pytest.mark.django_db
def test_the_periodic_jobs_are_listed(log_in: LogIn) -> None:
    response = log_in("view_task").get("/schedule")
    assert [job["name"] for job in response.json()] == list(BEAT_SCHEDULE)
