"""The configuration of Gunicorn: `gunicorn -c python:{{ cookiecutter.project_slug }}.web.gunicorn {{ cookiecutter.project_slug }}.wsgi`.

The environment variable `WEB_CONCURRENCY` sets the number of worker processes.
https://docs.gunicorn.org/en/stable/settings.html
"""

{% if plan().features.http_metrics %}
import os
import socket
import tempfile
{% else %}
import socket
{% endif %}
from typing import Any

from gunicorn import glogging

from {{ cookiecutter.project_slug }} import logs
{% if plan().features.http_metrics %}

if os.environ.get("METRICS_ADDRESS"):
    # The processes share metrics in files in this directory. prometheus_client reads the variable on import.
    os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", tempfile.mkdtemp(prefix="metrics-"))
{% endif %}


class Logger(glogging.Logger):
    """A logger that writes Gunicorn's messages in the format of the other log lines."""

    def setup(self, cfg: Any) -> None:
        """Remove Gunicorn's handlers, so that the root logger handles its messages."""
        super().setup(cfg)
        logs.configure()
        self.error_log.handlers.clear()
        self.error_log.propagate = True


# All IPv4 and IPv6 addresses. The option -b overrides this.
bind = "[::]:8000" if socket.has_dualstack_ipv6() else "0.0.0.0:8000"
logger_class = Logger
worker_class = "gthread"
threads = 8  # concurrent requests per process; most requests wait for the database
timeout = 60  # seconds without a heartbeat until Gunicorn restarts a process
graceful_timeout = 30  # seconds for open requests to finish at shutdown
max_requests = 10_000  # restart processes regularly, to limit memory leaks
max_requests_jitter = 1_000  # spread the restarts
control_socket_disable = True  # the supervisor controls the processes
{% if plan().features.http_metrics %}


def post_worker_init(worker: Any) -> None:
    """Serve the metrics. The first process serves those of all processes."""
    from {{ cookiecutter.project_slug }} import http_metrics

    http_metrics.serve()
{% endif %}
