"""The typed settings of this process, from environment variables.

They are validated at import. Missing or invalid variables stop the process with exit status 1 and one line for each.
"""

import os
import re
{% if plan().features.monitoring %}
import socket
{% endif %}
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict


def scheme(*schemes: str) -> AfterValidator:
    """Return a validator that accepts URLs with these schemes."""

    def check(url: str) -> str:
        if url.partition(":")[0] not in schemes:
            raise ValueError(f"must begin with one of: {', '.join(f'{scheme}://' for scheme in schemes)}")
        return url

    return AfterValidator(check)


def enable_verification(url: str) -> str:
    """Return a URL that enables certificate verification unless it is disabled, because the drivers' defaults differ."""
    option = re.search(r"[?&]ssl_cert_reqs=(\w*)", url)
    if not url.startswith(("rediss:", "amqps:")):
        if option:
            raise ValueError("ssl_cert_reqs without TLS; use rediss:// or amqps://")
        # libpq's default is a file in HOME.
        needs_root = "sslmode=verify-full" in url and "sslrootcert=" not in url
        return f"{url}&sslrootcert=system" if needs_root else url
    if not option:
        return f"{url}{'&' if '?' in url else '?'}ssl_cert_reqs=required"
    if option[1] not in ("required", "none"):
        raise ValueError("invalid ssl_cert_reqs; omit it, or use none to disable verification")
    return url


UNVERIFIED_TLS = re.compile("ssl_cert_reqs=none|ssl_check_hostname=false|sslmode=(require|verify-ca)", re.IGNORECASE)
"""A part of a URL that disables the verification of the certificate or its host name."""


def check_server_url(url: str) -> str:
    """Validate a URL, or several separated by `;`, and enable certificate verification.

    A password with an unencoded special character would silently truncate the URL.
    """
    urls = re.split(r";(?=\w+://)", url)
    for part in urls:
        try:
            parts = urlsplit(part)
            invalid = bool(parts.fragment) or (parts.netloc and "@" in parts.path + parts.query) or parts.port == 0
            invalid = invalid or "$" in part  # Compose substitutes variables, systemd does not
        except ValueError:  # the start of a password is not a port; urlsplit's message would contain it
            invalid = True
        if invalid and not part.startswith("sqlite://"):  # a file, or :memory:
            raise ValueError("invalid port, or a password without percent-encoding (# is %23, / %2F, $ %24)")
    return ";".join(map(enable_verification, urls))


Server = AfterValidator(check_server_url)


{% if plan().features.monitoring %}
def parse_listen_address(address: str) -> tuple[str, int]:
    """Return the host and the port of an address. Without a host, it is all IPv4 and IPv6 addresses."""
    host, _, port = address.rpartition(":")
    any_host = "::" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104
    return host.strip("[]") or any_host, int(port)


{% endif %}
class Environment(BaseSettings):
    """The environment variables. Each field has the name of its variable in lower case."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)

{% if plan().features.redis %}
    celery_broker_url: Annotated[str, scheme("redis", "rediss", "redis+socket", "sentinel", "memory"), Server] = Field(
        examples=["redis://localhost:6379/0"],
        description="Broker URL: Redis or Valkey.",
    )
{% elif plan().features.rabbitmq %}
    celery_broker_url: Annotated[str, scheme("amqp", "amqps", "memory", "redis"), Server] = Field(
        examples=["amqp://user:password@localhost:5672//"],
        description="Broker URL: RabbitMQ.",
    )
{% elif plan().features.sqs %}
    celery_broker_url: Annotated[str, scheme("sqs", "memory", "redis"), Server] = Field(
        examples=["sqs://"],
        description="Broker URL: Amazon SQS, with credentials from AWS's default credential chain.",
    )
{% endif %}
{% if plan().features.redis_results %}
    celery_result_backend: Annotated[str, scheme("redis", "rediss", "cache+memory"), Server] = Field(
        examples=["redis://localhost:6379/1"],
        description="Result backend URL: Redis or Valkey, in a separate database.",
    )
{% elif plan().features.database_results %}
    celery_result_backend: Annotated[str, scheme("db+postgresql+psycopg", "db+sqlite", "redis"), Server] = Field(
        examples=["db+postgresql+psycopg://user:password@localhost:5432/name?connect_timeout=5"],
        description="Result backend URL: PostgreSQL.",
    )
{% endif %}
{% if plan().features.redbeat %}
    redbeat_redis_url: Annotated[str, scheme("redis", "rediss"), Server] = Field(
        examples=["redis://localhost:6379/2"],
        description="URL of beat's schedule and lock: Redis or Valkey, in a separate database.",
    )
{% endif %}
{% if plan().features.django %}
    database_url: Annotated[str, scheme("postgres", "postgresql", "sqlite"), Server] = Field(
        examples=["postgresql://user:password@localhost:5432/name"],
        description="Database URL: PostgreSQL or SQLite.",
    )
    secret_key: str = Field(
        min_length=50,
        examples=["at least 50 random characters"],
        description="Secret for cryptographic signing: random, identical in all processes, at least 50 characters.",
    )
    allowed_hosts: str = Field(
        examples=["www.example.com,example.com"],
        description="Host names that the site serves, separated by commas.",
    )
    csrf_trusted_origins: str = Field(
        default="",
        examples=["https://www.example.com"],
        description="Additional trusted origins for CSRF checks, separated by commas.",
    )
    secure_ssl_redirect: bool = Field(
        default=True,
        examples=["true"],
        description="Whether to redirect HTTP requests to HTTPS.",
    )
    secure_hsts_seconds: int = Field(
        default=3600,
        ge=0,
        examples=["3600"],
        description="HSTS max-age in seconds. Increase it after TLS works.",
    )
    secure_hsts_include_subdomains: bool = Field(
        default=False,
        examples=["true"],
        description="Whether HSTS includes all subdomains.",
    )
    secure_hsts_preload: bool = Field(
        default=False,
        examples=["true"],
        description="Whether browsers may add the site to their HSTS preload lists.",
    )
{% endif %}
{% if plan().features.fastapi %}
    api_key: str = Field(
        default="",
        min_length=16,
        validate_default=False,
        examples=["at-least-16-random-characters"],
        description="API key that clients send as X-API-Key, at least 16 characters. Its name is `default`.",
    )
{% endif %}
{% if plan().features.http_api %}
    api_keys: str = Field(
        default="",
        pattern="^([\\w@.+-]+:[^\\s,]{16,}(,|$))*$",
        examples=["billing:at-least-16-random-characters,shop:another-random-key"],
        description="API keys that clients send as X-API-Key, each with the name of its owner.",
    )
    api_docs: bool = Field(
        default=False,
        examples=["true"],
        description="Whether to serve /docs and /openapi.json.",
    )
{% endif %}
{% if plan().features.sqs %}
    aws_region: str = Field(
        pattern="^[a-z]{2}(-[a-z]+)+-[0-9]$",
        examples=["eu-west-1"],
        description="AWS region of the queues.",
    )
    sqs_queue_url_prefix: str = Field(
        pattern="^https?://[^/]+/[0-9]{12}/[A-Za-z0-9_-]*$",
        examples=["https://sqs.eu-west-1.amazonaws.com/123456789012/production-"],
        description="Prefix of the queue URLs. The queue name follows it.",
    )
{% endif %}
{% if plan().features.monitoring %}
    metrics_address: str = Field(
        default="",
        pattern="^(\\S*:[0-9]+)?$",
        examples=["127.0.0.1:9700"],
        description="Listen address of the Prometheus endpoint: host:port, or :port for all. Empty disables it.",
    )
{% endif %}
    celery_publish_timeout: float = Field(
        default=60,
        ge=0,
        examples=["60"],
        description="Seconds for which publishing is retried while the broker is unreachable.",
    )
{% if plan().features.redis or plan().features.rabbitmq %}
    dead_letters_max_count: int = Field(
        default=10_000,
        ge=1,
        examples=["10000"],
        description="Maximum number of dead letters. The oldest are deleted.",
    )
    dead_letters_max_age_days: int = Field(
        default=30,
        ge=1,
        examples=["30"],
        description="Days after which a dead letter is deleted.",
    )
{% endif %}
    sentry_dsn: str = Field(
        default="",
        examples=["https://key@sentry.example.com/1"],
        description="Sentry DSN. Empty disables Sentry.",
    )
    sentry_environment: str = Field(
        default="production",
        examples=["production"],
        description="Environment name in Sentry.",
    )
{% if plan().features.history %}
    history_max_age_days: int = Field(
        default=14,
        ge=1,
        examples=["14"],
        description="Days after which a run is deleted from the history.",
    )
    history_redacted_arguments: str = Field(
        default="password,passwd,secret,token,api_key,authorization",
        examples=["password,token"],
        description="Words, separated by commas. The history redacts arguments whose name contains one of them.",
    )
{% endif %}
{% if plan().features.tracing %}
    otel_exporter_otlp_endpoint: Annotated[str, scheme("http", "https", "")] = Field(
        default="",
        examples=["http://localhost:4318"],
        description="OTLP endpoint (HTTP) for OpenTelemetry traces. Empty disables tracing.",
    )
    otel_service_name: str = Field(
        default="{{ plan().dns_name }}",
        examples=["{{ plan().dns_name }}"],
        description="Name of this service in traces.",
    )
{% endif %}
    alert_webhook_url: Annotated[str, scheme("http", "https", "")] = Field(
        default="",
        examples=["https://hooks.example.com/services/key"],
        description="Webhook URL for failures of critical tasks. If empty, they are only logged.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        default="INFO",
        examples=["INFO"],
        description="Minimum log level.",
    )
    log_format: Literal["json", "console"] = Field(
        default="json",
        examples=["json"],
        description="Log format: JSON objects, one per line, or colored text.",
    )
    heartbeat_file: str = Field(
        default="",
        examples=["/run/{{ cookiecutter.project_slug }}/heartbeat"],
        description="File that worker and beat touch while they are alive. Empty disables it.",
    )

    def unverified_variables(self) -> list[str]:
        """Return the variables whose URL disables certificate verification."""
        return [name.upper() for name, value in self if UNVERIFIED_TLS.search(str(value))]


def read_environment() -> Environment:
    """Return the validated environment.

    Raises:
        SystemExit: Variables are missing or invalid. The message has one line for each, without its value, because URLs
            contain passwords.
    """
    try:
        return Environment()
    except ValidationError as error:
        lines = []
        for details in error.errors():
            field = str(details["loc"][0])
            problem = "not set" if details["type"] == "missing" else details["msg"].removeprefix("Value error, ")
            example = (Environment.model_fields[field].examples or [""])[0]
            lines.append(f"{field.upper()}: {problem}. Example: {field.upper()}={example}")
        raise SystemExit("\n".join(lines)) from None


env = read_environment()
# Celery reads these variables, which take precedence over its settings.
{% if plan().features.redis_results or plan().features.database_results %}
os.environ.update(CELERY_BROKER_URL=env.celery_broker_url, CELERY_RESULT_BACKEND=env.celery_result_backend)
{% else %}
os.environ.update(CELERY_BROKER_URL=env.celery_broker_url)
{% endif %}
