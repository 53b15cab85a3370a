"""Check what neither an alert nor a readiness probe covers, in the system that the environment names.

    python -m {{ cookiecutter.project_slug }}.doctor

Exit status 1 if a check fails; `unknown` is what a server does not let it ask. It changes nothing. Run it with the
environment variables of a worker.
"""

import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import ip_address
{% if plan().features.redis_results or plan().features.redbeat or plan().features.beat_remote_control %}
from typing import Any
{% endif %}
from urllib.parse import urlsplit

{% if plan().features.redbeat %}
from redbeat.schedulers import get_redis

{% endif %}
from {{ cookiecutter.project_slug }} import broker_checks
from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.findings import Note, Unknown
{% if plan().features.redis_results or plan().features.redbeat %}
from {{ cookiecutter.project_slug }}.redis_servers import find_problem
{% endif %}
from {{ cookiecutter.project_slug }}.settings import UNVERIFIED_TLS, env
{% if plan().features.redis_results or plan().features.redbeat %}
from {{ cookiecutter.project_slug }}.tls_checks import check_tls, redis_socket
{% endif %}

Check = Callable[[], Iterable[str]]
"""A check returns problems, and what it notes or could not examine (see `findings.py`)."""

{% filter one_line_if_short %}
URLS = {
{% if plan().features.redis or plan().features.rabbitmq %}
    "CELERY_BROKER_URL": env.celery_broker_url,
{% endif %}
{% if plan().features.redis_results or plan().features.database_results %}
    "CELERY_RESULT_BACKEND": env.celery_result_backend,
{% endif %}
{% if plan().features.redbeat %}
    "REDBEAT_REDIS_URL": env.redbeat_redis_url,
{% endif %}
{% if plan().features.django %}
    "DATABASE_URL": env.database_url,
{% endif %}
{% if plan().features.sqs %}
    "SQS_QUEUE_URL_PREFIX": env.sqs_queue_url_prefix,
{% endif %}
}
{% endfilter %}
"""The servers, by the environment variable that names them."""

TLS_SCHEMES = ("amqps", "https", "rediss")

LOCAL_SUFFIXES = (".svc", ".svc.cluster.local", ".internal", ".localhost")
"""Ends of names that only a cluster or a machine resolves."""


def check_encryption(urls: Mapping[str, str] = URLS) -> Iterator[str]:
    """Report the connections that leave the private network without TLS, or do not verify the certificate."""
    for name, url in urls.items():
        parts = urlsplit(url)
        if UNVERIFIED_TLS.search(url):
            yield f"{name} does not verify the server: remove ssl_cert_reqs=none, or set sslmode=verify-full"
        elif not (is_private(parts.hostname or "") or parts.scheme in TLS_SCHEMES or "sslmode=verify" in parts.query):
            yield f"{name} names {parts.hostname} without TLS: use rediss://, amqps:// or ?sslmode=verify-full"


def is_private(host: str) -> bool:
    """Return whether a host is this machine, in a private network, or a name that only Compose or a cluster resolves."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith(LOCAL_SUFFIXES)
{% if plan().features.several_redis_databases %}


def check_databases(urls: Mapping[str, str] = URLS) -> Iterator[str]:
    """Report variables that name the same Redis database: emptying one would empty the other."""
    users: dict[object, str] = {}
    for name, parts in ((name, urlsplit(url)) for name, url in urls.items() if url.startswith("redis")):
        database = (parts.hostname, parts.port or 6379, parts.path.strip("/") or "0")
        other = users.setdefault(database, name)
        if other != name:
            yield f"{other} and {name} name the same database: change the number at the end of one"
{% endif %}


def check_acknowledgement() -> Iterator[str]:
    """Report settings with which a task is lost together with its worker."""
    for name in ("task_acks_late", "task_reject_on_worker_lost"):
        if not app.conf[name]:
            yield f"{name} is off: a task is lost with its worker. Set it to True"


{% if plan().features.beat_remote_control %}
def check_beats(replies: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Report several beats, which publish every job several times, by the replies to a ping."""
    beats = sorted(name for reply in replies for name in reply if name.startswith("celerybeat"))
    if len(beats) > 1:
        yield f"{', '.join(beats)} run at the same time: stop all but one"


{% endif %}
{% if plan().features.redis_results or plan().features.redbeat %}
def check_redis(client: Any) -> Iterator[str]:
    """Report a Redis Cluster, a replica, and TLS that is not verified."""
    if problem := find_problem(client):
        yield f"the server {problem}"
    else:
        yield from check_tls(redis_socket(client))


{% endif %}
{% filter one_line_if_short %}
CHECKS: dict[str, Check] = {
    "encryption": check_encryption,
    "acknowledgement": check_acknowledgement,
{% if plan().features.several_redis_databases %}
    "databases": check_databases,
{% endif %}
}
{% endfilter %}
"""The checks of the environment; those of the broker need a connection to it."""


def run(checks: Mapping[str, Check]) -> bool:
    """Print the result of each check; return whether all succeeded."""
    success = True
    for name, check in checks.items():
        try:
            findings = list(check())
        except Exception as error:  # the clients of brokers raise many types
            findings = [f"{type(error).__name__}: {error}"]
        failed = any(not isinstance(finding, (Note, Unknown)) for finding in findings)
        unknown = any(isinstance(finding, Unknown) for finding in findings)
        print(f"{'failure' if failed else 'unknown' if unknown else 'ok':<8} {name}", *findings, sep="\n         ")
        success = success and not failed
    return success


def main() -> int:
    """Run all checks; return 1 if one fails, else 0."""
    success = run(CHECKS)
    with app.connection_for_read() as connection:

        def connect() -> list[str]:
            connection.ensure_connection(max_retries=1, interval_start=0)  # else it would pause between two attempts
            return []

        if not run({"broker": connect}):
            return 1
        checks = broker_checks.checks(connection)
{% if plan().features.redis_results %}
        backend: Any = app.backend
        checks["results"] = lambda: check_redis(backend.client)
{% endif %}
{% if plan().features.redbeat %}
        checks["RedBeat"] = lambda: check_redis(get_redis(app))
{% endif %}
{% if plan().features.beat_remote_control %}
        checks["beat"] = lambda: check_beats(app.control.ping(timeout=2.0, connection=connection) or [])
{% endif %}
        return 0 if run(checks) and success else 1


if __name__ == "__main__":
    logging.disable()  # the clients log each attempt to connect
    sys.exit(main())
