"""How long the site may take to stop, and where it is asked whether it is ready."""

from {{ cookiecutter.project_slug }}.web import gunicorn, health

from ..test_deploy import APPS


def test_requests_have_ended_before_the_site_is_killed() -> None:
    assert int(APPS["web"]["stop_grace_period"].removesuffix("s")) >= gunicorn.graceful_timeout + 5


def test_the_probe_asks_where_the_site_listens() -> None:
    (probe,) = [words for words in APPS["web"]["healthcheck"]["test"] if "urlopen" in words]
    assert any(f"http://127.0.0.1:8000{path}" in probe for path in health.ANSWERS)
    assert "-b 0.0.0.0:8000 " in APPS["web"]["command"]
    assert [published.rpartition(":")[2] for published in APPS["web"]["ports"]] == ["8000"]
