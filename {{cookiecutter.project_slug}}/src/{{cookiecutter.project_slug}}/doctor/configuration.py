"""What the settings and the environment say."""

from collections.abc import Collection, Iterator
from ipaddress import ip_address
from urllib.parse import urlsplit

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.doctor.findings import Finding, failure, ok, warning
from {{ cookiecutter.project_slug }}.settings import env

{% filter one_line_if_short %}
ADDRESSES = [
{% if plan().features.redis or plan().features.rabbitmq %}
    "CELERY_BROKER_URL",
{% endif %}
{% if plan().features.redis_results or plan().features.database_results %}
    "CELERY_RESULT_BACKEND",
{% endif %}
{% if plan().features.redbeat %}
    "REDBEAT_REDIS_URL",
{% endif %}
{% if plan().features.django %}
    "DATABASE_URL",
{% endif %}
{% if plan().features.sqs %}
    "SQS_QUEUE_URL_PREFIX",
{% endif %}
]
{% endfilter %}
"""The environment variables that say where the servers are."""

ENCRYPTED = ("amqps", "https", "rediss")
"""Schemes of URLs that mean TLS."""

CLUSTER = (".svc", ".svc.cluster.local", ".internal", ".localhost")
"""Ends of names that are known within a cluster or a machine only."""


def examine() -> Iterator[Finding]:
    """All checks of this module."""
    conf = app.conf
    yield json_only({*conf.accept_content, conf.task_serializer, conf.result_serializer})
    yield time_limits(conf.task_soft_time_limit, conf.task_time_limit)
    for name in ADDRESSES:
        yield tls(name, getattr(env, name.lower()))


def json_only(formats: Collection[str]) -> Finding:
    """Which formats messages and results have, and which of them workers read."""
    others = sorted({*formats} - {"json", "application/json"})
    if others:
        advice = 'accept_content = ["json"]: who can write to the broker runs code in workers that read pickle'
        return failure("messages", f"{', '.join(others)} is read or written beside JSON", advice)
    return ok("messages", "are JSON only")


def time_limits(soft: float | None, hard: float | None) -> Finding:
    """After how many seconds a task is asked to end, and after how many it is ended."""
    if not hard or not soft or soft >= hard:
        what = f"the soft one is {soft or 'missing'}, the hard one {hard or 'missing'}"
        advice = "set task_soft_time_limit below task_time_limit, or a stuck task holds its process for ever"
        return failure("time limits", what, advice)
    return ok("time limits", f"a task is asked to end after {soft:g} s, and ended after {hard:g} s")


def tls(name: str, url: str) -> Finding:
    """Whether what is sent to the server of this URL can be read, or changed, on its way."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    check = f"TLS of {name}"
    if "cert_reqs=none" in parts.query.lower() or "cert_reqs=cert_none" in parts.query.lower():
        return failure(check, "nobody looks at the server's certificate", "ssl_cert_reqs=required")
    if parts.scheme in ENCRYPTED or "sslmode=verify" in parts.query:
        return ok(check, "is on")
    if near(host):
        return ok(check, f"is not needed on the way to {host or 'this process'}")
    advice = "use its port for TLS, with rediss://, amqps:// or ?sslmode=verify-full"
    if private(host):
        return warning(check, f"is off, and {host} is another machine of this network", advice)
    return failure(check, f"is off, and {host} is not on this machine or in this cluster", advice)


def near(host: str) -> bool:
    """Whether a host is this machine, or a name that only a cluster or Compose knows."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return "." not in host or host.endswith(CLUSTER)


def private(host: str) -> bool:
    """Whether a host is an address of a private network."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return False
