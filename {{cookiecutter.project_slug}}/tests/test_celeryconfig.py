"""Tests of the settings on which the guarantees of this project depend."""

from typing import Any

import pytest

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.settings import env

SETTINGS: dict[str, Any] = {
    # Without these, a task is lost with its worker or its process.
    "task_acks_late": True,
    "task_reject_on_worker_lost": True,
    "task_retry_on_worker_lost": True,
{% if plan().features.rabbitmq %}
    "task_default_queue_type": "quorum",
    "task_acks_on_failure": False,
{% endif %}
    # A worker prefetches one message per process, and reconnects to the broker forever.
    "worker_prefetch_multiplier": 1,
    "broker_connection_retry_on_startup": True,
    "broker_connection_max_retries": None,
    # A message cannot run code, and a misspelled queue is an error.
    "accept_content": ["json"],
    "task_create_missing_queues": False,
    # Results are opt in.
    "task_ignore_result": True,
{% if plan().features.results %}
    "task_track_started": True,
    "result_extended": True,
{% endif %}
{% if plan().features.redis_results %}
    "result_backend_always_retry": True,
{% endif %}
{% if plan().features.redis_results or plan().features.database_results %}
    "result_backend": env.celery_result_backend,
{% endif %}
    "broker_url": env.celery_broker_url,
    "timezone": "{{ plan().project.timezone }}",
}


@pytest.mark.parametrize("name", SETTINGS)
def test_setting_has_the_required_value(name: str) -> None:
    assert app.conf[name] == SETTINGS[name]


def test_pool_processes_are_replaced_regularly() -> None:
    assert 0 < app.conf.worker_max_tasks_per_child <= 10_000
    assert app.conf.worker_max_memory_per_child > 100 * 1024  # KiB; a new process has 50 MiB
{% if plan().features.rabbitmq %}


def test_publish_waits_for_its_confirmation() -> None:
    assert app.conf.broker_transport_options["confirm_publish"]
{% endif %}
