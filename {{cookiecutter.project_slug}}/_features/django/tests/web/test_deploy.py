"""The stop grace period and the port of Gunicorn in `compose.yaml`."""

from {{ cookiecutter.project_slug }}.web import gunicorn, health

from ..test_deploy import APPS


def test_open_requests_finish_within_the_stop_grace_period() -> None:
    assert int(APPS["web"]["stop_grace_period"].removesuffix("s")) >= gunicorn.graceful_timeout + 5


def test_the_probe_uses_the_port_of_gunicorn() -> None:
    (probe,) = [words for words in APPS["web"]["healthcheck"]["test"] if "urlopen" in words]
    assert any(f"http://127.0.0.1:8000{path}" in probe for path in health.ENDPOINTS)
    assert gunicorn.bind.endswith(":8000")
    assert [published.rpartition(":")[2] for published in APPS["web"]["ports"]] == ["8000"]
