"""What the broker knows of the queues, for Prometheus: `python -m {{ cookiecutter.project_slug }}.exporter`.

One is enough. It looks every few seconds, whoever asks, so that a broker that is slow or away makes nobody wait.
"""

import sys
import time

import structlog
from prometheus_client import Gauge

from {{ cookiecutter.project_slug }} import broker_metrics, health, logs, metrics
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.queue_lengths import waiting
from {{ cookiecutter.project_slug }}.queues import QueueName
from {{ cookiecutter.project_slug }}.settings import env

UP = Gauge("celery_broker_up", "1 if the broker answered the last time.")
LENGTH = Gauge("celery_queue_length", "Tasks that wait in the queue, without those that a worker has taken.", ["queue"])

log = structlog.get_logger(__name__)


def look() -> None:
    """Ask the broker; what it does not say is not shown any more."""
    try:
        with app.connection_for_read() as connection:
            lengths = {name.value: waiting(connection, name.value) for name in QueueName}
            broker_metrics.look(connection)
    except Exception as error:  # whatever it is, the next look may succeed
        log.warning("the broker does not answer", error=repr(error))
        UP.set(0)
        LENGTH.clear()
        broker_metrics.forget()
        return
    UP.set(1)
    for queue, length in lengths.items():
        LENGTH.labels(queue).set(length)


def main() -> None:
    """Serve until the process is ended; exit status 1 if nobody said where."""
    logs.configure()
    if not env.metrics_address:
        sys.exit("METRICS_ADDRESS is not set. Write for example: METRICS_ADDRESS=127.0.0.1:9699")
    metrics.serve(env.metrics_address)
    health.notify_systemd("READY=1")
    while True:
        look()
        health.show_life()  # whatever the broker says
        time.sleep(broker_metrics.INTERVAL)


if __name__ == "__main__":
    main()
