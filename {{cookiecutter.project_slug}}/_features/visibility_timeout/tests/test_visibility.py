"""The broker does not deliver a task again while its worker may still have it."""

from typing import Any

from {{ cookiecutter.project_slug }}.celery_app import app


def test_the_visibility_timeout_outlasts_the_longest_retry_and_the_run_after_it() -> None:
    app.loader.import_default_modules()
    timeout = app.conf.broker_transport_options["visibility_timeout"]
    tasks: list[Any] = list(app.tasks.values())
    for task in tasks:
        delay = task.retry_backoff_max if task.retry_backoff else task.default_retry_delay
        needed = delay + (task.time_limit or app.conf.task_time_limit)
        assert needed < timeout, f"{task.name} runs twice at a time unless visibility_timeout is above {needed} s"
