"""Prometheus metrics of the broker, served at `METRICS_ADDRESS`: `python -m {{ cookiecutter.project_slug }}.exporter`.

Run one. It queries the broker every few seconds, not at each scrape, so that a slow broker delays no scrape.
"""

import sys
import time

import structlog
from prometheus_client import Gauge

from {{ cookiecutter.project_slug }} import broker_metrics, health, logs, metrics
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queue_lengths import get_queue_length
from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.settings import env

UP = Gauge("celery_broker_up", "1 if the broker answered the last query.")
LENGTH = Gauge("celery_queue_length", "Messages that are ready in the queue.", ["queue"])

log = structlog.get_logger(__name__)


def update() -> None:
    """Query the broker; without an answer, export nothing but `celery_broker_up`."""
    try:
        with app.connection_for_read() as connection:
            lengths = {name.value: get_queue_length(connection, name.value) for name in QueueName}
            broker_metrics.update(connection)
    except Exception as error:  # whatever it is, the next query may succeed
        log.warning("the broker does not answer", error=repr(error))
        UP.set(0)
        LENGTH.clear()
        broker_metrics.clear()
        return
    UP.set(1)
    for queue, length in lengths.items():
        LENGTH.labels(queue).set(length)


def main() -> None:
    """Serve until the process is stopped.

    Raises:
        SystemExit: `METRICS_ADDRESS` is not set.
    """
    logs.configure()
    if not env.metrics_address:
        sys.exit("METRICS_ADDRESS is not set. Write for example: METRICS_ADDRESS=127.0.0.1:9699")
    metrics.serve(env.metrics_address)
    health.notify_systemd("READY=1")
    while True:
        update()
        health.show_life()  # also while the broker is unreachable
        time.sleep(broker_metrics.INTERVAL)


if __name__ == "__main__":
    main()
