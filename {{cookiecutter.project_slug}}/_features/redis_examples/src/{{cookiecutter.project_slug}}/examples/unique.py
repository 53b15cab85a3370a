"""A periodic task whose runs never overlap.

Examples are not scheduled. To schedule this one, add an entry like this to the schedule. `expires` discards tasks that
no worker has received in time:

    "refresh": {
        "task": "{{ cookiecutter.project_slug }}.examples.unique.refresh",
        "schedule": timedelta(minutes=1),
        "options": {"queue": "{{ plan().default_queue.name }}", "expires": 54},
    },
"""

import time

import structlog
from celery import shared_task

from {{ cookiecutter.project_slug }}.examples.store import exclusive_lock

log = structlog.get_logger(__name__)


@shared_task
def refresh(seconds: float = 0.0) -> None:
    """Simulate work that must not run concurrently. If another run is active, do nothing."""
    with exclusive_lock("refresh") as acquired:
        if not acquired:
            log.info("refresh already running")
            return
        log.info("refresh started")
        time.sleep(seconds)
        log.info("refresh finished")
