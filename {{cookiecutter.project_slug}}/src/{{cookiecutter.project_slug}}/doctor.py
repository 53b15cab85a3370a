"""Check the running system for problems that neither alerts nor readiness probes report.

    python -m {{ cookiecutter.project_slug }}.doctor [--json]

Run it with the environment variables of a worker. It changes nothing. The status `unknown` means that the server does
not permit or support the query.

Exit status: 0 for success, 1 if a check fails, 2 for wrong usage.
"""

import json
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
{% if plan().features.control %}
from datetime import UTC, datetime, timedelta
{% endif %}
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
from {{ cookiecutter.project_slug }}.commands import command_parser, print_table
{% if plan().features.control %}
from {{ cookiecutter.project_slug }}.control import store
{% endif %}
from {{ cookiecutter.project_slug }}.findings import Note, Unknown
{% if plan().features.redis_results or plan().features.redbeat %}
from {{ cookiecutter.project_slug }}.redis_servers import find_problem
{% endif %}
from {{ cookiecutter.project_slug }}.settings import UNVERIFIED_TLS, env
{% if plan().features.redis_results or plan().features.redbeat %}
from {{ cookiecutter.project_slug }}.tls_checks import check_tls, get_redis_socket
{% endif %}

Check = Callable[[], Iterable[str]]
"""A check returns problems, notes, and facts that it could not check (see `findings.py`)."""

COLORS = {"ok": "green", "unknown": "yellow", "failure": "red"}
"""The color of each status, on a terminal."""

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
"""The URLs of the servers, by their environment variables."""

TLS_SCHEMES = ("amqps", "https", "rediss")

LOCAL_SUFFIXES = (".svc", ".svc.cluster.local", ".internal", ".localhost")
"""Suffixes of names that only a cluster or a machine resolves."""


def check_encryption(urls: Mapping[str, str] = URLS) -> Iterator[str]:
    """Report connections outside the private network without TLS, and connections that do not verify the server."""
    for name, url in urls.items():
        parts = urlsplit(url)
        if UNVERIFIED_TLS.search(url):
            yield f"{name}: the server is not verified: remove ssl_cert_reqs=none, or set sslmode=verify-full"
        elif not (is_private(parts.hostname or "") or parts.scheme in TLS_SCHEMES or "sslmode=verify" in parts.query):
            yield f"{name}: no TLS to {parts.hostname}: use rediss://, amqps:// or ?sslmode=verify-full"


def is_private(host: str) -> bool:
    """Return whether a host is local, in a private network, or a name that only Compose or a cluster resolves."""
    try:
        return ip_address(host).is_private
    except ValueError:
        return "." not in host or host.endswith(LOCAL_SUFFIXES)
{% if plan().features.several_redis_databases %}


def check_databases(urls: Mapping[str, str] = URLS) -> Iterator[str]:
    """Report variables with the same Redis database: flushing one would flush the other."""
    users: dict[object, str] = {}
    for name, parts in ((name, urlsplit(url)) for name, url in urls.items() if url.startswith("redis")):
        database = (parts.hostname, parts.port or 6379, parts.path.strip("/") or "0")
        other = users.setdefault(database, name)
        if other != name:
            yield f"{other} and {name} use the same database: change the number at the end of one"
{% endif %}


def check_acknowledgement() -> Iterator[str]:
    """Report settings that lose the tasks of a killed worker."""
    for name in ("task_acks_late", "task_reject_on_worker_lost"):
        if not app.conf[name]:
            yield f"{name} is off: the tasks of a killed worker are lost. Set it to True"


{% if plan().features.control %}
def check_pauses() -> Iterator[str]:
    """Note each pause, and report those of more than a day, which may be forgotten."""
    for pause in store.list_pauses():
        text = f"{pause.kind} {pause.name}: paused by {pause.by} since {pause.at.isoformat(timespec='minutes')}"
        is_old = datetime.now(UTC) - pause.at > timedelta(days=1)
        yield f"{text}, more than a day: resume it" if is_old else Note(text)


{% endif %}
{% if plan().features.beat_remote_control %}
def check_beats(replies: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Report several beat instances, from the replies to a ping. Each of them publishes every periodic task."""
    beats = sorted(name for reply in replies for name in reply if name.startswith("celerybeat"))
    if len(beats) > 1:
        yield f"several beat instances run: {', '.join(beats)}. Stop all but one"


{% endif %}
{% if plan().features.redis_results or plan().features.redbeat %}
def check_redis(client: Any) -> Iterator[str]:
    """Report a Redis Cluster, a read-only replica, or an unverified certificate."""
    if problem := find_problem(client):
        yield f"the server {problem}"
    else:
        yield from check_tls(get_redis_socket(client))


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
"""The checks that need no connection to the broker."""


def run(checks: Mapping[str, Check]) -> list[dict[str, str]]:
    """Run checks; return their findings, each with a status. A check without findings is one `ok`."""
    findings = []
    for name, check in checks.items():
        try:
            found = list(check()) or [Note()]
        except Exception as error:  # the clients of brokers raise many types
            found = [f"{type(error).__name__}: {error}"]
        for each in found:
            status = "ok" if isinstance(each, Note) else "unknown" if isinstance(each, Unknown) else "failure"
            findings.append({"check": name, "status": status, "detail": str(each)})
    return findings


def run_all() -> list[dict[str, str]]:
    """Run all checks. Without a connection to the broker, skip those that need it."""
{% if plan().features.control %}
    findings = run({**CHECKS, "pauses": check_pauses})
{% else %}
    findings = run(CHECKS)
{% endif %}
    with app.connection_for_read() as connection:

        def connect() -> Iterator[str]:
            try:
                connection.ensure_connection(max_retries=1, interval_start=0)  # else it would pause between attempts
            except Exception as error:
                message = f"{type(error).__name__}: {error}".rstrip(".")
                yield f"{message}: check that the broker is running and that its URL is correct"

        findings += run({"broker": connect})
        if findings[-1]["status"] == "failure":
            return findings
        checks = broker_checks.list_checks(connection)
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
        return findings + run(checks)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the findings; return 1 if one is a failure, else 0."""
    parser = command_parser("doctor", __doc__)
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args(arguments)
    findings = run_all()
    if given.json:
        print(json.dumps(findings, indent=2))
    else:
        rows = [list(finding.values()) for finding in findings]
        print_table(("check", "status", "detail"), rows, colors=COLORS, wrap=True)
    return int(any(finding["status"] == "failure" for finding in findings))


if __name__ == "__main__":
    logging.disable()  # the clients log each attempt to connect
    sys.exit(main())
