"""Every job of the schedule can run: its task exists, takes its arguments, and its queue is declared."""

import inspect
from typing import Any

import pytest

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.schedule import BEAT_SCHEDULE

every_job = pytest.mark.parametrize("job", BEAT_SCHEDULE.values(), ids=BEAT_SCHEDULE)


@pytest.fixture(autouse=True)
def tasks() -> None:
    """Register the tasks, as a worker does at its start."""
    app.loader.import_default_modules()


def test_beat_has_the_schedule() -> None:
    assert app.conf.beat_schedule == BEAT_SCHEDULE


@every_job
def test_a_job_s_task_takes_its_arguments(job: dict[str, Any]) -> None:
    signature = inspect.signature(app.tasks[job["task"]].run)
    signature.bind(*job.get("args", ()), **job.get("kwargs", {}))


@every_job
def test_a_job_names_the_queue_that_its_task_is_routed_to(job: dict[str, Any]) -> None:
    assert job["options"]["queue"] in set(QueueName)
    assert app.amqp.router.route({}, job["task"])["queue"].name == job["options"]["queue"]


@every_job
def test_a_job_that_no_worker_takes_expires(job: dict[str, Any]) -> None:
    assert job["options"]["expires"] > 0
