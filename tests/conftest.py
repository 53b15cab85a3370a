"""Fixtures of all tiers, and the table at the end."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.aws import private_sqs
from tests.support.bakery import Bakery
from tests.support.brokers import private_rabbitmq, private_redis, rabbitmq_folder, redis_server
from tests.support.environments import install, interpreters
from tests.support.manifests import KUBECTL
from tests.support.postgres import postgres_folder, private_postgres
from tests.support.servers import Servers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.aws import Sqs
    from tests.support.brokers import RabbitMQ, Redis
    from tests.support.environments import Environment
    from tests.support.postgres import Postgres
    from tests.support.project import BakedProject

TIERS = (
    "plan",
    "refusals",
    "rules",
    "layout",
    "updates",
    "static",
    "generated",
    "same",
    "live",
    "demo",
    "speed",
    "real",
)
# What takes long begins first. Live tests mostly wait, and projects' own mostly compute. Times are measured last, when
# little else runs.
ORDER = (
    ("demo",),
    ("corpus",),
    ("live", "generated"),
    ("static",),
    ("same",),
    ("refusals",),
    ("plan",),
    ("rules", "layout", "updates"),
    ("speed",),
    ("real",),
)
STARTED = time.monotonic()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="test a few variants instead of all")


def pytest_configure() -> None:
    # The tests use the Pythons that are there.
    os.environ["UV_PYTHON_DOWNLOADS"] = "never"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its tier, which is its module's or its folder's name, and let what takes long begin first."""
    for item in items:
        name = item.path.relative_to(Path(__file__).parent).parts[0]
        tier = name.removeprefix("test_").removesuffix(".py").removeprefix("bake_").removesuffix("_settings")
        if tier in TIERS:
            item.add_marker(tier)
    if not KUBECTL:
        items[:] = [item for item in items if not item.get_closest_marker("kubectl")]
    in_good_order(items)


def in_good_order(items: list[pytest.Item]) -> None:
    """Sort tests by `ORDER`; kinds on one line of it alternate, each spread over the others."""
    lines = {kind: number for number, line in enumerate(ORDER) for kind in line}
    met: dict[str, dict[str, int]] = {kind: {} for kind in lines}
    found: dict[pytest.Item, tuple[str, str]] = {}
    for item in items:
        group = item.get_closest_marker("xdist_group")
        # What pytest-xdist gives to one process as a whole.
        scope = group.args[0] if group else item.nodeid
        kind = next(kind for kind in met if kind == scope or item.get_closest_marker(kind))
        met[kind].setdefault(scope, len(met[kind]))
        found[item] = kind, scope

    def place(item: pytest.Item) -> tuple[int, float]:
        kind, scope = found[item]
        return lines[kind], met[kind][scope] / len(met[kind])

    items.sort(key=place)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all pytest-xdist workers of this run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def bake(cookies_session: Any, shared: Path) -> Bakery:
    """`bake(broker="rabbitmq")` is the project for these answers. It is shared: only read it, or copy it."""
    return Bakery(cookies_session, shared)


@pytest.fixture(scope="session")
def installed(shared: Path) -> Callable[..., Environment]:
    """`installed(project)` makes the environment of a copied project, with `python=` for another interpreter."""

    def make(project: BakedProject, python: str = sys.executable) -> Environment:
        return install(project, shared, python)

    return make


def need(what: object, name: str) -> None:
    """Skip a test whose broker is missing; on CI, fail it."""
    if what is None and os.environ.get("CI") == "true":
        pytest.fail(f"{name} is not installed")
    if what is None:
        pytest.skip(f"{name} is not installed: make brokers")


@pytest.fixture(scope="session")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A private Redis that runs as long as the tests."""
    need(redis_server(), "redis-server")
    with private_redis(tmp_path_factory.mktemp("redis") / "data") as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """A private RabbitMQ that runs as long as the tests."""
    need(rabbitmq_folder(), "rabbitmq-server")
    with private_rabbitmq(tmp_path_factory.mktemp("rabbitmq") / "node") as server:
        yield server


@pytest.fixture(scope="session")
def sqs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sqs]:
    """A private SQS that runs as long as the tests."""
    with private_sqs(tmp_path_factory.mktemp("sqs") / "moto") as server:
        yield server


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A private PostgreSQL that runs as long as the tests."""
    need(postgres_folder(), "postgresql")
    with private_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Servers:
    """`servers.variables(project)` names what a variant needs."""
    return Servers(request.getfixturevalue)


def count(request: pytest.FixtureRequest, what: str) -> None:
    """Add one to a row of the table at the end."""
    request.node.user_properties.append(("count", what))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Count the projects that were baked."""
    if hasattr(session.config, "workerinput"):
        return
    factory: pytest.TempPathFactory = session.config._tmp_path_factory  # type: ignore[attr-defined]
    session.config.stash[BAKED] = Bakery(None, factory.getbasetemp()).count()


BAKED = pytest.StashKey[int]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was tested, in numbers."""
    passed: Counter[str] = Counter()
    failed: Counter[str] = Counter()
    skipped: Counter[str] = Counter()
    seconds: Counter[str] = Counter()
    counted: Counter[str] = Counter()
    sizes: list[tuple[str, int, int]] = []
    for outcome, into in (("passed", passed), ("failed", failed), ("error", failed), ("skipped", skipped)):
        for report in terminalreporter.stats.get(outcome, []):
            for tier in TIERS:
                into[tier] += tier in getattr(report, "keywords", ())
            properties = getattr(report, "user_properties", ()) if outcome == "passed" else ()
            counted.update(what for name, what in properties if name == "count")
            sizes += [what for name, what in properties if name == "size"]
    for reports in terminalreporter.stats.values():
        for report in reports:
            for tier in TIERS:
                seconds[tier] += getattr(report, "duration", 0) if tier in getattr(report, "keywords", ()) else 0
    write = terminalreporter.write_line
    terminalreporter.section("what was tested")
    write(f"{'tier':<12}{'passed':>8}{'failed':>8}{'skipped':>8}{'seconds':>9}")
    for tier in TIERS:
        if tier == "real" and not passed[tier] + failed[tier]:
            continue  # it has a command of its own
        write(f"{tier:<12}{passed[tier]:>8}{failed[tier]:>8}{skipped[tier]:>8}{seconds[tier]:>9.0f}")
    write("")
    for name, files, lines in sorted(sizes, key=lambda size: size[2]):
        write(f"{name:<40}{files:>6} files{lines:>8,} lines")
    write("")
    write(f"variants baked  {config.stash.get(BAKED, 0)}")
    write(f"suites run      {counted['suite']}")
    write(f"live runs       {counted['live']}")
    write(f"Pythons         {', '.join(sorted(interpreters(), key=lambda version: int(version[2:])))}")
    write(f"kubectl         {KUBECTL or 'none: no manifest was rendered or validated'}")
    write(f"skipped         {sum(skipped.values())}")
    write(f"time            {time.monotonic() - STARTED:.0f} s")
