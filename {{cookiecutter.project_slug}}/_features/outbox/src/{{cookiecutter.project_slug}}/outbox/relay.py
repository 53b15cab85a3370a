"""The relay, which publishes the tasks of the outbox. Several relays share the work."""

import signal
import time
from datetime import UTC, datetime, timedelta
from types import FrameType

import structlog
{% if plan().features.outbox_django %}
from django.db import close_old_connections
{% endif %}

from {{ cookiecutter.project_slug }} import health, signals
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.outbox import store
from {{ cookiecutter.project_slug }}.outbox.messages import publish
from {{ cookiecutter.project_slug }}.outbox.models import OutboxMessage

POLL_INTERVAL = 1.0
"""Seconds until the next query if no message is due."""

MAX_BACKOFF = 60
"""Seconds. The maximum delay after a failed attempt, which starts at one second and doubles."""

log = structlog.get_logger(__name__)


def attempt(message: OutboxMessage) -> bool:
    """Publish a message, and return whether this succeeded. After an error, set the time of the next attempt."""
    try:
        publish(message)
    except Exception as error:  # client libraries raise many types; an invalid message must not block others
        delay = min(2**message.attempts, MAX_BACKOFF)
        message.attempts += 1
        message.next_attempt_at = datetime.now(UTC) + timedelta(seconds=delay)
        message.last_error = repr(error)
        ids = {"task_id": message.task_id, "task_name": message.task}
        log.warning("outbox message not published", attempts=message.attempts, error=message.last_error, **ids)
        return False
    return True


class Relay:
    """The loop of a relay process. SIGTERM and SIGINT stop it after the current message."""

    stopping = False

    def stop(self, _: int, __: FrameType | None) -> None:
        """Stop the loop. This is a signal handler."""
        self.stopping = True

    def run(self) -> None:
        """Publish messages until the process is stopped. Report each step to the supervisor."""
        signals.start_sentry()
{% if plan().features.tracing %}
        signals.start_tracing()
{% endif %}
        app.loader.import_default_modules()  # registers the tasks
        # The relay retries later. One immediate retry, in case the connection is stale.
        app.conf.task_publish_retry_policy = {"max_retries": 1, "interval_start": 0}
        app.conf.broker_transport_options = {**app.conf.broker_transport_options, "connect_retries_timeout": 1}
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self.stop)
        health.notify_systemd("READY=1")
        log.info("outbox relay started")
        while not self.stopping:
            found = self.step()
            health.report_alive()
            if not found:
                time.sleep(POLL_INTERVAL)
        health.notify_systemd("STOPPING=1")

    def step(self) -> bool:
        """Publish a message; return False if none is due, or if the database is unreachable."""
        try:
            return store.process_next(attempt)
        except store.OUTAGES as error:
            log.warning("database unreachable", error=repr(error))
{% if plan().features.outbox_django %}
            close_old_connections()
{% endif %}
            return False
