"""Gunicorn's configuration: `gunicorn -c python:{{ cookiecutter.project_slug }}.web.gunicorn {{ cookiecutter.project_slug }}.wsgi`.

Its own variable `WEB_CONCURRENCY` is the number of processes.
https://docs.gunicorn.org/en/stable/settings.html
"""

{% if plan().features.http_metrics %}
import os
import tempfile
{% endif %}
from typing import Any

from gunicorn import glogging

from {{ cookiecutter.project_slug }} import logs
{% if plan().features.http_metrics %}

if os.environ.get("METRICS_ADDRESS"):
    # The processes share their metrics in files of this folder; prometheus_client reads the variable on import.
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="metrics-"))
{% endif %}


class Logger(glogging.Logger):
    """Gunicorn's messages in the form of all others."""

    def setup(self, cfg: Any) -> None:
        """Leave the handlers to the root logger."""
        super().setup(cfg)
        logs.configure()
        self.error_log.handlers.clear()
        self.error_log.propagate = True


logger_class = Logger
worker_class = "gthread"
threads = 8  # requests that a process serves at a time; most of them wait for the database
timeout = 60  # seconds until a process that does not answer its parent is replaced
graceful_timeout = 30  # seconds that a stopping process may take to finish its requests
max_requests = 10_000  # a fresh process now and then bounds what leaks
max_requests_jitter = 1_000  # but not all at once
control_socket_disable = True  # the supervisor starts and stops it
{% if plan().features.http_metrics %}


def post_worker_init(worker: Any) -> None:
    """Serve the metrics of all processes in the first of them."""
    from {{ cookiecutter.project_slug }} import http_metrics

    http_metrics.serve()
{% endif %}
