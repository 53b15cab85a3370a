"""Django's settings, one module per environment, and `env`, the environment variables.

`development` has defaults for all required variables. The other modules have none.
"""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
"""The root directory of the repository."""

DEVELOPMENT = {
    "DATABASE_URL": f"sqlite:///{ROOT / 'db.sqlite3'}",
{% if plan().features.redis %}
    "CELERY_BROKER_URL": "redis://localhost:6379/0",
{% elif plan().features.rabbitmq %}
    "CELERY_BROKER_URL": "amqp://user:password@localhost:5672//",
{% elif plan().features.sqs %}
    "CELERY_BROKER_URL": "sqs://",
{% endif %}
{% if plan().features.redis_results %}
    "CELERY_RESULT_BACKEND": "redis://localhost:6379/1",
{% endif %}
{% if plan().features.redbeat %}
    "REDBEAT_REDIS_URL": "redis://localhost:6379/2",
{% endif %}
    "SECRET_KEY": "not a secret: for development and tests only, at least 50 characters",
    "ALLOWED_HOSTS": "localhost,127.0.0.1",
    "API_DOCS": "true",
{% if plan().features.sqs %}
    "AWS_REGION": "eu-west-1",
    "SQS_QUEUE_URL_PREFIX": "https://sqs.eu-west-1.amazonaws.com/123456789012/local-",
{% endif %}
    "LOG_FORMAT": "console",
}

if os.environ.get("DJANGO_SETTINGS_MODULE") == f"{__name__}.development":
    for name, value in DEVELOPMENT.items():
        os.environ.setdefault(name, value)

from {{ cookiecutter.project_slug }}.settings.environment import (  # noqa: E402
    UNVERIFIED_TLS,
    Environment,
    check_server_url,
    env,
{% if plan().features.monitoring %}
    parse_listen_address,
{% endif %}
    read_environment,
)

{% if plan().features.monitoring %}
__all__ = ("UNVERIFIED_TLS", "Environment", "check_server_url", "env", "parse_listen_address", "read_environment")
{% else %}
__all__ = ("UNVERIFIED_TLS", "Environment", "check_server_url", "env", "read_environment")
{% endif %}
