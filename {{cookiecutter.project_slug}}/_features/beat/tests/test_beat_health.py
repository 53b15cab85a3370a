"""Beat is not taken for dead while it sleeps, nor while it waits for a broker that is away."""

from {{ cookiecutter.project_slug }} import health
from {{ cookiecutter.project_slug }}.celery_app import app

from .test_deploy import EXAMPLE, unit_of

SILENT = app.conf.beat_max_loop_interval + float(EXAMPLE["CELERY_PUBLISH_TIMEOUT"])


def test_the_probe_waits_longer() -> None:
    assert health.MAX_AGE > SILENT


def test_the_watchdog_waits_longer() -> None:
    assert int(unit_of("beat")["WatchdogSec"]) > SILENT
