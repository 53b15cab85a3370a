"""The relay, which publishes the tasks of the outbox. Several relays share the work."""

import signal
import time
from datetime import timedelta
from types import FrameType

import structlog
from django.db import Error, close_old_connections, transaction
from django.utils import timezone

from {{ cookiecutter.project_slug }} import health
from {{ cookiecutter.project_slug }}.outbox.messages import publish
from {{ cookiecutter.project_slug }}.outbox.models import OutboxMessage

POLL_INTERVAL = 1.0
"""Seconds until the next query if no message is due."""

MAX_BACKOFF = 60
"""Seconds. The maximum delay after a failed attempt, which starts at one second and doubles."""

log = structlog.get_logger(__name__)


def relay_next() -> bool:
    """Publish the first message that is due, and delete it; return whether there was one.

    Other relays skip the locked row. If this process is killed before the commit, the row is published again, with the
    same task id.
    """
    with transaction.atomic():
        messages = OutboxMessage.objects.select_for_update(skip_locked=True)  # not on SQLite, which has one writer
        message = messages.filter(next_attempt_at__lte=timezone.now()).first()
        if message is None:
            return False
        try:
            publish(message)
        except Exception as error:  # client libraries raise many types; an invalid message must not block others
            postpone(message, error)
        else:
            message.delete()
    return True


def postpone(message: OutboxMessage, error: Exception) -> None:
    """Log a failed attempt, and set the time of the next one."""
    delay = min(2**message.attempts, MAX_BACKOFF)
    message.attempts += 1
    message.next_attempt_at = timezone.now() + timedelta(seconds=delay)
    message.last_error = repr(error)
    message.save()
    ids = {"task_id": message.task_id, "task_name": message.task}
    log.warning("outbox message not published", attempts=message.attempts, error=message.last_error, **ids)


class Relay:
    """The loop of a relay process. SIGTERM and SIGINT stop it after the current message."""

    stopping = False

    def stop(self, _: int, __: FrameType | None) -> None:
        """Stop the loop. This is a signal handler."""
        self.stopping = True

    def run(self) -> None:
        """Publish messages until the process is stopped. Report each step to the supervisor."""
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
            return relay_next()
        except Error as error:
            log.warning("database unreachable", error=repr(error))
            close_old_connections()
            return False
