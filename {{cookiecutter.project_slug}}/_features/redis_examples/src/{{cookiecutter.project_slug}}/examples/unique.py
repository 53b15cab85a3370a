"""A periodic task that never overlaps itself, however long it takes and however often beat sends it.

It has no entry in beat's schedule, since no example runs unasked. This would be one, with an `expires` so that runs
which found no worker do not pile up:

    "refresh": {
        "task": "{{ cookiecutter.project_slug }}.examples.unique.refresh",
        "schedule": timedelta(minutes=1),
        "options": {"queue": "{{ plan().default_queue.name }}", "expires": 54},
    },
"""

import time

import structlog
from celery import shared_task

from {{ cookiecutter.project_slug }}.examples.store import exclusive

log = structlog.get_logger(__name__)


@shared_task
def refresh(seconds: float = 0.0) -> None:
    """Stands in for work that must not run twice at a time; a run that finds another one leaves it to that."""
    with exclusive("refresh") as alone:
        if not alone:
            log.info("refresh runs already")
            return
        log.info("refresh begins")
        time.sleep(seconds)
        log.info("refresh ends")
