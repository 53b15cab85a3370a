"""The environment of this process, typed, and validated when it starts.

A missing or bad variable ends the process with exit status 1 and one clear line for each mistake.
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
    """A check that a URL begins with one of these schemes."""

    def check(url: str) -> str:
        if url.partition(":")[0] not in schemes:
            raise ValueError(f"must begin with one of: {', '.join(f'{scheme}://' for scheme in schemes)}")
        return url

    return AfterValidator(check)


def with_verification(url: str) -> str:
    """Return a URL whose TLS verifies the server's certificate unless the URL says otherwise: drivers differ in that."""
    option = re.search(r"[?&]ssl_cert_reqs=(\w*)", url)
    if not url.startswith(("rediss:", "amqps:")):
        if option:
            raise ValueError("has ssl_cert_reqs, but no TLS: write rediss:// or amqps://")
        system = "sslmode=verify-full" in url and "sslrootcert=" not in url  # libpq looks for a file in HOME
        return f"{url}&sslrootcert=system" if system else url
    if not option:
        return f"{url}{'&' if '?' in url else '?'}ssl_cert_reqs=required"
    if option[1] not in ("required", "none"):
        raise ValueError("has a bad ssl_cert_reqs: leave it out, or write none to accept any server")
    return url


UNVERIFIED = re.compile("ssl_cert_reqs=none|ssl_check_hostname=false|sslmode=(require|verify-ca)", re.IGNORECASE)
"""What a URL has whose TLS does not verify the certificate and its name."""


def check_server(url: str) -> str:
    """Check that a URL, or each of several after `;`, is not cut by a special character in its password."""
    urls = re.split(r";(?=\w+://)", url)
    for each in urls:
        try:
            parts = urlsplit(each)
            cut = bool(parts.fragment) or (parts.netloc and "@" in parts.path + parts.query) or parts.port == 0
            cut = cut or "$" in each  # Compose replaces what follows it, systemd does not
        except ValueError:  # a password's first part is no port; the message would repeat it
            cut = True
        if cut and not each.startswith("sqlite://"):  # a file, or :memory:
            raise ValueError("has a bad port or a password that is not percent-encoded (# is %23, / %2F, $ %24)")
    return ";".join(map(with_verification, urls))


Server = AfterValidator(check_server)


{% if plan().features.monitoring %}
def listen_on(address: str) -> tuple[str, int]:
    """Return the host and the port of an address; without a host, that of all addresses, IPv4's and IPv6's."""
    host, _, port = address.rpartition(":")
    every = "::" if socket.has_dualstack_ipv6() else "0.0.0.0"  # noqa: S104
    return host.strip("[]") or every, int(port)


{% endif %}
class Environment(BaseSettings):
    """What an operator may change. Each field is the variable of the same name in capitals."""

    model_config = SettingsConfigDict(env_ignore_empty=True, frozen=True)

{% if plan().features.redis %}
    celery_broker_url: Annotated[str, scheme("redis", "rediss", "redis+socket", "sentinel", "memory"), Server] = Field(
        examples=["redis://localhost:6379/0"],
        description="The broker: a Redis or a Valkey.",
    )
{% elif plan().features.rabbitmq %}
    celery_broker_url: Annotated[str, scheme("amqp", "amqps", "memory", "redis"), Server] = Field(
        examples=["amqp://user:password@localhost:5672//"],
        description="The broker: a RabbitMQ.",
    )
{% elif plan().features.sqs %}
    celery_broker_url: Annotated[str, scheme("sqs", "memory", "redis"), Server] = Field(
        examples=["sqs://"],
        description="The broker: Amazon SQS, with the credentials that AWS's own tools would find.",
    )
{% endif %}
{% if plan().features.redis_results %}
    celery_result_backend: Annotated[str, scheme("redis", "rediss", "cache+memory"), Server] = Field(
        examples=["redis://localhost:6379/1"],
        description="Where results are kept: a Redis or a Valkey, in a database of its own.",
    )
{% elif plan().features.database_results %}
    celery_result_backend: Annotated[str, scheme("db+postgresql+psycopg", "db+sqlite", "redis"), Server] = Field(
        examples=["db+postgresql+psycopg://user:password@localhost:5432/name?connect_timeout=5"],
        description="Where results are kept: a PostgreSQL.",
    )
{% endif %}
{% if plan().features.redbeat %}
    redbeat_redis_url: Annotated[str, scheme("redis", "rediss"), Server] = Field(
        examples=["redis://localhost:6379/2"],
        description="Where beat keeps its schedule and its lock: a Redis or a Valkey.",
    )
{% endif %}
{% if plan().features.django %}
    database_url: Annotated[str, scheme("postgres", "postgresql", "sqlite"), Server] = Field(
        examples=["postgresql://user:password@localhost:5432/name"],
        description="The database: a PostgreSQL, or a file of SQLite.",
    )
    secret_key: str = Field(
        min_length=50,
        examples=["at least 50 random characters"],
        description="What Django signs sessions with: random, and the same in every process.",
    )
    allowed_hosts: str = Field(
        examples=["www.example.com,example.com"],
        description="The names that the site is known by, separated by commas.",
    )
    csrf_trusted_origins: str = Field(
        default="",
        examples=["https://www.example.com"],
        description="Origins beside the site's own that may send forms to it, separated by commas.",
    )
    secure_ssl_redirect: bool = Field(
        default=True,
        examples=["true"],
        description="Whether requests without TLS are redirected.",
    )
    secure_hsts_seconds: int = Field(
        default=3600,
        ge=0,
        examples=["3600"],
        description="Seconds for which browsers refuse to connect without TLS; raise it once TLS works.",
    )
    secure_hsts_include_subdomains: bool = Field(
        default=False,
        examples=["true"],
        description="Whether that holds for all subdomains.",
    )
    secure_hsts_preload: bool = Field(
        default=False,
        examples=["true"],
        description="Whether browsers may ship with that knowledge.",
    )
{% endif %}
{% if plan().features.fastapi %}
    api_key: str = Field(
        default="",
        min_length=16,
        validate_default=False,
        examples=["at-least-16-random-characters"],
        description="A key that clients send as X-API-Key, of at least 16 characters; its name is `default`.",
    )
{% endif %}
{% if plan().features.http_api %}
    api_keys: str = Field(
        default="",
        pattern="^([\\w@.+-]+:[^\\s,]{16,}(,|$))*$",
        examples=["billing:at-least-16-random-characters,shop:another-random-key"],
        description="The keys that clients send as X-API-Key, each after the name of its owner.",
    )
    api_docs: bool = Field(
        default=False,
        examples=["true"],
        description="Whether /docs and /openapi.json are served.",
    )
{% endif %}
{% if plan().features.sqs %}
    aws_region: str = Field(
        pattern="^[a-z]{2}(-[a-z]+)+-[0-9]$",
        examples=["eu-west-1"],
        description="The region of the queues.",
    )
    sqs_queue_url_prefix: str = Field(
        pattern="^https?://[^/]+/[0-9]{12}/[A-Za-z0-9_-]*$",
        examples=["https://sqs.eu-west-1.amazonaws.com/123456789012/mail-room-"],
        description="What the URLs of all queues begin with; a queue's name follows.",
    )
{% endif %}
{% if plan().features.monitoring %}
    metrics_address: str = Field(
        default="",
        pattern="^(\\S*:[0-9]+)?$",
        examples=["127.0.0.1:9700"],
        description="Where worker, beat and exporter serve their metrics, as host:port, or :port; empty: nowhere.",
    )
{% endif %}
    celery_publish_timeout: float = Field(
        default=60,
        ge=0,
        examples=["60"],
        description="Seconds for which sending a task outlasts a broker that is away.",
    )
{% if plan().features.redis or plan().features.rabbitmq %}
    dead_letters_max_count: int = Field(
        default=10_000,
        ge=1,
        examples=["10000"],
        description="How many dead letters are kept; the oldest are dropped.",
    )
    dead_letters_max_age_days: int = Field(
        default=30,
        ge=1,
        examples=["30"],
        description="Days after which a dead letter is dropped.",
    )
{% endif %}
    sentry_dsn: str = Field(
        default="",
        examples=["https://key@sentry.example.com/1"],
        description="Where Sentry receives errors; empty: Sentry is off.",
    )
    sentry_environment: str = Field(
        default="production",
        examples=["production"],
        description="The environment's name in Sentry.",
    )
{% if plan().features.tracing %}
    otel_exporter_otlp_endpoint: Annotated[str, scheme("http", "https", "")] = Field(
        default="",
        examples=["http://localhost:4318"],
        description="The OTLP endpoint (HTTP) that receives OpenTelemetry traces; empty disables tracing.",
    )
    otel_service_name: str = Field(
        default="{{ plan().dns_name }}",
        examples=["{{ plan().dns_name }}"],
        description="The name of this service in traces.",
    )
{% endif %}
    alert_webhook_url: Annotated[str, scheme("http", "https", "")] = Field(
        default="",
        examples=["https://hooks.example.com/services/key"],
        description="Where failures of critical tasks are posted; empty: they are only logged.",
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"] = Field(
        default="INFO",
        examples=["INFO"],
        description="The least severe log messages that are written.",
    )
    log_format: Literal["json", "console"] = Field(
        default="json",
        examples=["json"],
        description="A JSON object a line for machines, or coloured text for people.",
    )
    heartbeat_file: str = Field(
        default="",
        examples=["/run/{{ cookiecutter.project_slug }}/heartbeat"],
        description="A file that is touched while the worker or beat is alive; empty: none.",
    )

    def unverified(self) -> list[str]:
        """Return the variables whose URL accepts the certificate of any server."""
        return [name.upper() for name, value in self if UNVERIFIED.search(str(value))]


def read_environment() -> Environment:
    """The validated environment.

    Raises:
        SystemExit: a variable is missing or bad; the message has one line for each. Values are not
            repeated in it, since URLs hold passwords.
    """
    try:
        return Environment()
    except ValidationError as error:
        lines = []
        for mistake in error.errors():
            field = str(mistake["loc"][0])
            reason = "is missing" if mistake["type"] == "missing" else mistake["msg"].removeprefix("Value error, ")
            example = (Environment.model_fields[field].examples or [""])[0]
            lines.append(f"{field.upper()}: {reason}. Write for example: {field.upper()}={example}")
        raise SystemExit("\n".join(lines)) from None


env = read_environment()
# Celery prefers these variables to its settings.
{% if plan().features.redis_results or plan().features.database_results %}
os.environ.update(CELERY_BROKER_URL=env.celery_broker_url, CELERY_RESULT_BACKEND=env.celery_result_backend)
{% else %}
os.environ.update(CELERY_BROKER_URL=env.celery_broker_url)
{% endif %}
