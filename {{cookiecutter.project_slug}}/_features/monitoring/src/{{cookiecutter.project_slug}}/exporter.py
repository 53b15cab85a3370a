"""Prometheus metrics of the broker, served at `METRICS_ADDRESS`: `python -m {{ cookiecutter.project_slug }}.exporter`.

Run one exporter. It queries the broker at a fixed interval, not at each scrape, so a slow broker does not delay scrapes.
"""

import sys
import time

import structlog
from prometheus_client import Gauge

{% if plan().features.outbox %}
from {{ cookiecutter.project_slug }} import broker_metrics, health, logs, metrics, outbox_metrics
{% else %}
from {{ cookiecutter.project_slug }} import broker_metrics, health, logs, metrics
{% endif %}
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queue_lengths import get_queue_length
from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.settings import env

UP = Gauge("celery_broker_up", "1 if the last query of the broker succeeded, else 0.")
LENGTH = Gauge("celery_queue_length", "Number of ready messages in the queue.", ["queue"])

log = structlog.get_logger(__name__)


def update() -> None:
    """Query the broker and set the metrics. If the broker is unreachable, export only `celery_broker_up`."""
    try:
        with app.connection_for_read() as connection:
            lengths = {name.value: get_queue_length(connection, name.value) for name in QueueName}
            broker_metrics.update(connection)
    except Exception as error:  # client libraries raise many types; retry at the next query
        log.warning("broker unreachable", error=repr(error))
        UP.set(0)
        LENGTH.clear()
        broker_metrics.clear()
        return
    UP.set(1)
    for queue, length in lengths.items():
        LENGTH.labels(queue).set(length)


def main() -> None:
    """Serve the metrics until the process is stopped.

    Raises:
        SystemExit: `METRICS_ADDRESS` is not set.
    """
    logs.configure()
    if not env.metrics_address:
        sys.exit("METRICS_ADDRESS: not set. Example: METRICS_ADDRESS=127.0.0.1:9699")
    metrics.serve(env.metrics_address)
    health.notify_systemd("READY=1")
    while True:
        update()
{% if plan().features.outbox %}
        outbox_metrics.update()
{% endif %}
        health.report_alive()  # also while the broker is unreachable
        time.sleep(broker_metrics.INTERVAL)


if __name__ == "__main__":
    main()
