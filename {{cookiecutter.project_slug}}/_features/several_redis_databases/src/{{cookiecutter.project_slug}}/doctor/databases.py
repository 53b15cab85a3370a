"""Each use of Redis has a database of its own."""

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from {{ cookiecutter.project_slug }}.doctor.findings import Finding, failure, ok
from {{ cookiecutter.project_slug }}.settings import env

{% filter one_line_if_short %}
DATABASES = [
{% if plan().features.redis %}
    "CELERY_BROKER_URL",
{% endif %}
{% if plan().features.redis_results %}
    "CELERY_RESULT_BACKEND",
{% endif %}
{% if plan().features.redbeat %}
    "REDBEAT_REDIS_URL",
{% endif %}
]
{% endfilter %}
"""The environment variables that name one."""


def examine() -> Iterator[Finding]:
    """All checks of this module."""
    yield own_database({name: getattr(env, name.lower()) for name in DATABASES})


def own_database(urls: Mapping[str, str]) -> Finding:
    """Whether two variables name the same database."""
    users: dict[object, list[str]] = {}
    for name, url in urls.items():
        parts = urlsplit(url)
        users.setdefault((parts.hostname, parts.port or 6379, parts.path.strip("/") or "0"), []).append(name)
    for shared in users.values():
        if len(shared) > 1:
            advice = "put another number at the end of one: whoever empties one of them would empty the other"
            return failure("databases", f"{' and '.join(shared)} are the same", advice)
    return ok("databases", "each is used for one thing")
