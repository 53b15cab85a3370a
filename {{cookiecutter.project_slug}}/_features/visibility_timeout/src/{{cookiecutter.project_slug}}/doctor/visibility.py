"""The time after which the broker takes a task's worker for lost, and hands the task to another."""

from typing import Any

from celery import Celery

from {{ cookiecutter.project_slug }}.doctor.findings import Finding, failure, ok


def longest_run(app: Celery) -> float:
    """Seconds after which the last task is ended."""
    return max(task.time_limit or app.conf.task_time_limit for task in app.tasks.values())


def longest_retry(app: Celery) -> float:
    """Seconds that a task waits for its next attempt at most, in a worker's hands."""
    tasks: list[Any] = list(app.tasks.values())
    return float(max(task.retry_backoff_max if task.retry_backoff else task.default_retry_delay for task in tasks))


def room(app: Celery) -> Finding:
    """Whether a task that is retried, and then takes its time, is still its worker's."""
    run, retry = longest_run(app), longest_retry(app)
    timeout = app.conf.broker_transport_options["visibility_timeout"]
    what = f"{timeout} s; a task may wait for a retry for {retry:g} s, and run for {run:g} s"
    if retry + run >= timeout:
        return failure("visibility timeout", what, "raise visibility_timeout, or such a task runs twice at a time")
    return ok("visibility timeout", what)
