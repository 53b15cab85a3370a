"""The periodic jobs by way of the API."""

from fastapi.testclient import TestClient

from {{ cookiecutter.project_slug }}.schedule import BEAT_SCHEDULE


def test_the_periodic_jobs_are_listed(client: TestClient) -> None:
    listed = client.get("/schedule").json()
    assert [job["name"] for job in listed] == list(BEAT_SCHEDULE)
    assert [job["queue"] for job in listed] == [job["options"]["queue"] for job in BEAT_SCHEDULE.values()]
