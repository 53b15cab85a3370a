"""Redis hands out no task again while a worker may still have it."""

from {{ cookiecutter.project_slug }}.celery_app import app


def test_the_visibility_timeout_outlasts_a_delayed_task() -> None:
    longest_delay = 600  # seconds; Celery's default for retry_backoff_max
    assert app.conf.broker_transport_options["visibility_timeout"] > app.conf.task_time_limit + longest_delay
