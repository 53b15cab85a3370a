"""The command `relay_outbox`, which publishes the tasks of the outbox until it is stopped."""

from typing import Any

from django.core.management.base import BaseCommand

from {{ cookiecutter.project_slug }} import signals
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.outbox.relay import Relay


class Command(BaseCommand):
    """A command that runs the relay."""

    help = "Publish the tasks of the outbox until the process is stopped."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the relay."""
        signals.start_sentry()
{% if plan().features.tracing %}
        signals.start_tracing()
{% endif %}
        app.loader.import_default_modules()  # registers the tasks
        # The relay retries later. One immediate retry, in case the connection is stale.
        app.conf.task_publish_retry_policy = {"max_retries": 1, "interval_start": 0}
        app.conf.broker_transport_options = {**app.conf.broker_transport_options, "connect_retries_timeout": 1}
        Relay().run()
