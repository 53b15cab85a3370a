"""Check what neither an alert nor a readiness probe covers, in the system that the environment names.

    python -m {{ cookiecutter.project_slug }}.doctor

Exit status 1 if a check fails. It changes nothing. Run it with the environment variables of a worker.
"""

import logging
import sys
{% if plan().features.redis %}
import time
{% endif %}
from collections.abc import Callable, Iterable, Iterator, Mapping
from ipaddress import ip_address
{% if plan().features.redis or plan().features.sqs or plan().features.beat_remote_control %}
from typing import Any
{% endif %}
from urllib.parse import urlsplit

from {{ cookiecutter.project_slug }}.celery_app import app
{% if plan().features.sqs %}
from {{ cookiecutter.project_slug }}.dead_letter_store import url_of
{% endif %}
{% if plan().features.redis or plan().features.sqs %}
from {{ cookiecutter.project_slug }}.queues import QueueName
{% endif %}
from {{ cookiecutter.project_slug }}.settings import UNVERIFIED, env
{% if plan().features.sqs %}
from {{ cookiecutter.project_slug }}.sqs import VISIBILITY_TIMEOUT
{% endif %}

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
        if UNVERIFIED.search(url):
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


def check_broker() -> list[str]:
    """Connect to the broker and report what is wrong there."""
    problems: list[str] = []
    with app.connection_for_read() as connection:
        connection.ensure_connection(max_retries=1, interval_start=0)  # else it would pause between two attempts
{% if plan().features.redis %}
        channel: Any = connection.default_channel
        problems += check_redis(channel.client.info())
        overdue = {name.value: channel.scheduled(name.value, due_before=time.time() - 60) for name in QueueName}
        problems += check_scheduled(overdue)
{% endif %}
{% if plan().features.sqs %}
        channel: Any = connection.default_channel
        for queue in QueueName:
            client = channel.sqs(queue=queue.value)
            answer = client.get_queue_attributes(QueueUrl=url_of(queue), AttributeNames=["All"])
            problems += check_queue(queue, answer["Attributes"])
{% endif %}
{% if plan().features.beat_remote_control %}
        problems += check_beats(app.control.ping(timeout=2.0, connection=connection) or [])
{% endif %}
    return problems
{% if plan().features.redis %}


def check_redis(info: Mapping[str, Any]) -> Iterator[str]:
    """Report settings with which Redis loses tasks, by its answer to INFO."""
    if info["maxmemory_policy"] != "noeviction":
        yield f"maxmemory-policy is {info['maxmemory_policy']}, so a full Redis deletes tasks: set it to noeviction"
    if not info["aof_enabled"]:
        yield "appendonly is off, so a killed Redis loses tasks: set it to yes"
    elif info["aof_last_write_status"] != "ok":
        yield "the append-only file cannot be written: is the disk full?"


def check_scheduled(overdue: Mapping[str, int]) -> Iterator[str]:
    """Report tasks that no worker has moved to their queue, by the number of overdue tasks of each queue."""
    for queue, number in overdue.items():
        if number:
            yield f"{number} scheduled tasks of {queue} are overdue: start a worker of this queue"
{% endif %}
{% if plan().features.sqs %}


def check_queue(queue: str, attributes: Mapping[str, str]) -> Iterator[str]:
    """Report how the attributes of a queue differ from deploy/aws/queues.yaml in what loses, repeats or delays tasks."""
    seconds = int(attributes["VisibilityTimeout"])
    if seconds != VISIBILITY_TIMEOUT:
        yield f"VisibilityTimeout of {queue} is {seconds} s, not {VISIBILITY_TIMEOUT} s: deploy queues.yaml again"
    if "RedrivePolicy" not in attributes:
        yield f"{queue} has no RedrivePolicy, so a poison task returns for days: deploy queues.yaml again"
{% endif %}
{% if plan().features.beat_remote_control %}


def check_beats(replies: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Report several beats, which publish every job several times, by the replies to a ping."""
    beats = sorted(name for reply in replies for name in reply if name.startswith("celerybeat"))
    if len(beats) > 1:
        yield f"{', '.join(beats)} run at the same time: stop all but one"
{% endif %}


CHECKS: dict[str, Callable[[], Iterable[str]]] = {
    "encryption": check_encryption,
{% if plan().features.several_redis_databases %}
    "databases": check_databases,
{% endif %}
    "broker": check_broker,
}


def main(checks: Mapping[str, Callable[[], Iterable[str]]] = CHECKS) -> int:
    """Print the result of each check; return 1 if one fails, else 0."""
    failed = False
    for name, check in checks.items():
        try:
            problems = list(check())
        except Exception as error:  # the clients of brokers raise many types
            problems = [f"{type(error).__name__}: {error}"]
        failed = failed or bool(problems)
        print(f"{'failure' if problems else 'ok':<8} {name}", *problems, sep="\n         ")
    return int(failed)


if __name__ == "__main__":
    logging.disable()  # the clients log each attempt to connect
    sys.exit(main())
