"""RabbitMQ takes no task away from a worker that may still be busy with it."""

import re
from pathlib import Path

from {{ cookiecutter.project_slug }}.celery_app import app

SETTINGS = Path(__file__).parent.parent / "deploy" / "rabbitmq" / "rabbitmq.conf"


def test_the_consumer_timeout_outlasts_the_longest_task() -> None:
    (milliseconds,) = re.findall(r"^consumer_timeout = (\d+)$", SETTINGS.read_text(), flags=re.MULTILINE)
    assert int(milliseconds) / 1000 > app.conf.task_time_limit + 60
