"""The environment of the tests, and one worker for all of them.

By default everything runs in this process, on an in-memory broker. To run the integration tests on a real
one, name it: `TEST_BROKER_URL={{ plan().broker.url.example }} make test`. Its queues should be empty.
"""

import os
{{ plan().test_folder }}
URLS = {{ plan().test_urls }}
VARIABLES = {{ plan().test_variables | python }}
ENVIRONMENT = VARIABLES | {name: os.environ.get(name.replace("CELERY_", "TEST_"), url) for name, url in URLS.items()}
os.environ.update(ENVIRONMENT)  # before the import of the settings

from collections.abc import Callable, Iterator  # noqa: E402
from queue import Queue  # noqa: E402
from typing import Any  # noqa: E402

import pytest  # noqa: E402
from celery import signals  # noqa: E402
from celery.contrib.testing.worker import start_worker  # noqa: E402

from {{ cookiecutter.project_slug }}.celery_app import app  # noqa: E402

Ran = Callable[[str], str]


{{ text("tests/worker.py") }}
