"""The metrics of HTTP requests. `METRICS_ADDRESS` says where they are served."""

{% if plan().features.django %}
from collections.abc import Iterable

import structlog
from prometheus_client import CollectorRegistry, Histogram, Metric, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector
{% elif plan().features.fastapi %}
import structlog
from prometheus_client import CollectorRegistry, Histogram, start_http_server
{% endif %}

from {{ cookiecutter.project_slug }}.settings import env

METHODS = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}

# A separate registry: the default one has the metrics of workers and beat.
REGISTRY = CollectorRegistry()
DURATION = Histogram(
    "http_request_duration_seconds", "The time to answer a request.", ["method", "route", "status"], registry=REGISTRY
)

log = structlog.get_logger(__name__)


def observe(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request. Clients choose methods and paths, so unknown ones share a label."""
    labels = (method if method in METHODS else "other", route or "unmatched", str(status))
    DURATION.labels(*labels).observe(seconds)
{% if plan().features.django %}


class AllProcesses(MultiProcessCollector):
    """The HTTP metrics of all processes, which share them in files; see `web/gunicorn.py`."""

    def collect(self) -> Iterable[Metric]:
        """Leave out the metrics of workers and beat."""
        metrics = super().collect()  # type: ignore[no-untyped-call]
        return [metric for metric in metrics if metric.name.startswith("http_")]
{% endif %}


def serve() -> None:
    """Serve the metrics; without an address, do nothing.

    A process that cannot serve them answers requests nevertheless.
    """
    host, _, port = env.metrics_address.rpartition(":")
    if not port:
        return
{% if plan().features.django %}
    registry = CollectorRegistry()
    AllProcesses(registry)  # type: ignore[no-untyped-call]
    try:
        start_http_server(int(port), host.strip("[]"), registry=registry)
    except OSError as error:
        log.info("another process serves the metrics", address=env.metrics_address, error=str(error))
{% elif plan().features.fastapi %}
    try:
        start_http_server(int(port), host.strip("[]"), registry=REGISTRY)
    except OSError as error:
        log.error("metrics are not served", address=env.metrics_address, error=str(error))
{% endif %}
