"""The environment of the tests, and one worker for all of them.

By default everything runs in this process, on an in-memory broker. To run the integration tests on a real
one, name it: `TEST_BROKER_URL={{ plan().broker.url.example }} make test`. Its queues should be empty.
"""

import os
{{ plan().test_folder }}
URLS = {{ plan().test_urls }}
ENVIRONMENT = {
    **{name: os.environ.get(name.replace("CELERY_", "TEST_"), url) for name, url in URLS.items()},
    "LOG_LEVEL": "WARNING",
}
os.environ.update(ENVIRONMENT)  # before the import of the settings

from collections.abc import Callable, Iterator  # noqa: E402
from queue import Queue  # noqa: E402
from typing import Any  # noqa: E402

import pytest  # noqa: E402
from celery import signals  # noqa: E402
from celery.contrib.testing.worker import start_worker  # noqa: E402

from {{ cookiecutter.project_slug }}.celery_app import app  # noqa: E402

Ran = Callable[[str], str]


@pytest.fixture(scope="session")
def worker() -> Iterator[None]:
    """A worker of this application that consumes every queue, as long as the tests run."""
    app.conf.broker_transport_options = {**app.conf.broker_transport_options, "polling_interval": 0.01}  # seconds
    with start_worker(app, pool="threads", concurrency=2, perform_ping_check=False, shutdown_timeout=30):
        yield


@pytest.fixture
def outcome(worker: None) -> Iterator[Ran]:
    """Waits for a task of this id to end in the worker, and returns its state."""
    ended: Queue[tuple[str, str]] = Queue()

    def note(task_id: str, state: str, **_: Any) -> None:
        ended.put((task_id, state))

    def wait(task_id: str) -> str:
        seen, state = "", ""
        while seen != task_id:
            seen, state = ended.get(timeout=30)
        return state

    signals.task_postrun.connect(note)
    yield wait
    signals.task_postrun.disconnect(note)
