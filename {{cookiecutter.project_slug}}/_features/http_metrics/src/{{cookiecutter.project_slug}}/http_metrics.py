"""Prometheus metrics of HTTP requests, served at `METRICS_ADDRESS`."""

{% if plan().features.django %}
from collections.abc import Iterable

import structlog
from prometheus_client import CollectorRegistry, Histogram, Metric, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector
{% elif plan().features.fastapi %}
import structlog
from prometheus_client import CollectorRegistry, Histogram, start_http_server
{% endif %}

from {{ cookiecutter.project_slug }}.settings import env, parse_listen_address

METHODS = {"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"}

# A separate registry, since the default one has the metrics of workers and beat.
REGISTRY = CollectorRegistry()
DURATION = Histogram(
    "http_request_duration_seconds", "Duration of an HTTP request.", ["method", "route", "status"], registry=REGISTRY
)

log = structlog.get_logger(__name__)


def observe(method: str, route: str, status: int, seconds: float) -> None:
    """Record a request. Unknown methods and paths share a label, so clients cannot create time series."""
    labels = (method if method in METHODS else "other", route or "unmatched", str(status))
    DURATION.labels(*labels).observe(seconds)
{% if plan().features.django %}


class HttpMetricsCollector(MultiProcessCollector):
    """A collector of the HTTP metrics of all processes, which share them in files; see `web/gunicorn.py`."""

    def collect(self) -> Iterable[Metric]:
        """Return the HTTP metrics, without those of workers and beat."""
        metrics = super().collect()  # type: ignore[no-untyped-call]
        return [metric for metric in metrics if metric.name.startswith("http_")]
{% endif %}


def serve() -> None:
    """Serve the metrics if `METRICS_ADDRESS` is set.

    If the port is in use, log an error and continue: Prometheus reports that the target is down.
    """
    if not env.metrics_address:
        return
    host, port = parse_listen_address(env.metrics_address)
{% if plan().features.django %}
    registry = CollectorRegistry()
    HttpMetricsCollector(registry)  # type: ignore[no-untyped-call]
    try:
        start_http_server(port, host, registry=registry)
    except OSError as error:
        log.info("metrics served by another process", address=env.metrics_address, error=str(error))
{% elif plan().features.fastapi %}
    try:
        start_http_server(port, host, registry=REGISTRY)
    except OSError as error:
        log.error("metrics not served", address=env.metrics_address, error=str(error))
{% endif %}
