"""Fixtures for all tiers, and the summary table."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING

import pytest
from pytest_cookies.plugin import Cookies

from benchmarks.bake import MEMORY
from tests.support.aws import run_sqs
from tests.support.bakery import Bakery
from tests.support.brokers import find_rabbitmq_programs, find_redis_server, run_rabbitmq, run_redis
from tests.support.environments import find_interpreters, install
from tests.support.manifests import KUBECTL
from tests.support.postgres import find_postgres_programs, run_postgres
from tests.support.servers import Servers
from tests.support.variants import ROOT

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
    "settings_parity",
    "live",
    "demo",
    "page",
    "speed",
    "real",
)
# Slow tests start first. Live tests mostly wait, the test suites of projects mostly compute. Benchmarks run last, when
# the machine is idle.
ORDER = (
    ("demo",),
    ("corpus",),
    ("live", "generated"),
    ("static",),
    ("settings_parity",),
    ("refusals",),
    ("plan",),
    ("page",),
    ("rules", "layout", "updates"),
    ("speed",),
    ("real",),
)
STARTED = time.monotonic()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--quick", action="store_true", help="test a few variants instead of all")
    parser.addoption("--all-suites", action="store_true", help="run the suites of all combinations of dependencies")


def pytest_configure() -> None:
    # Tests use the installed Python versions only.
    os.environ["UV_PYTHON_DOWNLOADS"] = "never"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with its tier, the name of its module or folder, and sort the tests."""
    for item in items:
        name = item.path.relative_to(Path(__file__).parent).parts[0]
        tier = name.removeprefix("test_").removesuffix(".py").removeprefix("bake_")
        if tier in TIERS:
            item.add_marker(tier)
    if not KUBECTL:
        items[:] = [item for item in items if not item.get_closest_marker("kubectl")]
    sort_items(items)


def sort_items(items: list[pytest.Item]) -> None:
    """Sort tests by `ORDER`. The kinds on one line alternate."""
    lines = {kind: number for number, line in enumerate(ORDER) for kind in line}
    met: dict[str, dict[str, int]] = {kind: {} for kind in lines}
    found: dict[pytest.Item, tuple[str, str]] = {}
    for item in items:
        group = item.get_closest_marker("xdist_group")
        # pytest-xdist runs a group in one process.
        scope = group.args[0] if group else item.nodeid
        kind = next(kind for kind in met if kind == scope or item.get_closest_marker(kind))
        met[kind].setdefault(scope, len(met[kind]))
        found[item] = kind, scope

    def place(item: pytest.Item) -> tuple[int, float]:
        kind, scope = found[item]
        return lines[kind], met[kind][scope] / len(met[kind])

    items.sort(key=place)


@pytest.fixture(scope="session")
def shared_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory that all pytest-xdist workers of this run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def bake(_cookiecutter_config_file: Path, shared_folder: Path) -> Iterator[Bakery]:
    """Yield a function that bakes a project: `bake(broker="rabbitmq")`. Copy a project to change it: it is shared."""
    with TemporaryDirectory(dir=MEMORY) as folder:  # Cookiecutter creates many files that the hook deletes
        cookies = Cookies(str(ROOT), lambda name: mkdtemp(prefix=name, dir=folder), _cookiecutter_config_file)
        yield Bakery(cookies, shared_folder)


@pytest.fixture(scope="session")
def install_project(shared_folder: Path) -> Callable[..., Environment]:
    """Return a function that installs a copied project. `python=` selects the interpreter."""

    def make(project: BakedProject, python: str = sys.executable) -> Environment:
        return install(project, shared_folder, python)

    return make


def require_program(program: object, name: str) -> None:
    """Skip the test if a program is missing. On CI, fail."""
    if program is None and os.environ.get("CI") == "true":
        pytest.fail(f"{name} is not installed")
    if program is None:
        pytest.skip(f"{name} is not installed: make brokers")


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """Run a private Redis server for the session."""
    require_program(find_redis_server(), "redis-server")
    with run_redis(tmp_path_factory.mktemp("redis") / "data") as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitMQ]:
    """Run a private RabbitMQ server for the session."""
    require_program(find_rabbitmq_programs(), "rabbitmq-server")
    with run_rabbitmq(tmp_path_factory.mktemp("rabbitmq") / "node") as server:
        yield server


@pytest.fixture(scope="session")
def sqs_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sqs]:
    """Run a private SQS server for the session."""
    with run_sqs(tmp_path_factory.mktemp("sqs") / "moto") as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """Run a private PostgreSQL server for the session."""
    require_program(find_postgres_programs(), "postgresql")
    with run_postgres() as server:
        yield server


@pytest.fixture(scope="session")
def servers(request: pytest.FixtureRequest) -> Servers:
    """Return the servers. `servers.variables(project)` returns the environment variables of a variant."""
    return Servers(request.getfixturevalue)


def count(request: pytest.FixtureRequest, counter: str) -> None:
    """Increment a counter in the summary table."""
    request.node.user_properties.append(("count", counter))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Count the baked projects."""
    if hasattr(session.config, "workerinput"):
        return
    factory: pytest.TempPathFactory = session.config._tmp_path_factory  # type: ignore[attr-defined]
    session.config.stash[BAKED] = Bakery(None, factory.getbasetemp()).count()


BAKED = pytest.StashKey[int]()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the summary table."""
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
            counted.update(value for name, value in properties if name == "count")
            sizes += [value for name, value in properties if name == "size"]
    for reports in terminalreporter.stats.values():
        for report in reports:
            for tier in TIERS:
                seconds[tier] += getattr(report, "duration", 0) if tier in getattr(report, "keywords", ()) else 0
    write = terminalreporter.write_line
    terminalreporter.section("summary")
    write(f"{'tier':<16}{'passed':>8}{'failed':>8}{'skipped':>8}{'seconds':>9}")
    for tier in TIERS:
        if tier == "real" and not passed[tier] + failed[tier]:
            continue  # it has a separate command
        write(f"{tier:<16}{passed[tier]:>8}{failed[tier]:>8}{skipped[tier]:>8}{seconds[tier]:>9.0f}")
    write("")
    for name, files, lines in sorted(sizes, key=lambda size: size[2]):
        write(f"{name:<40}{files:>6} files{lines:>8,} lines")
    write("")
    write(f"variants baked  {config.stash.get(BAKED, 0)}")
    write(f"suites run      {counted['suite']}")
    write(f"live runs       {counted['live']}")
    write(f"Pythons         {', '.join(sorted(find_interpreters(), key=lambda version: int(version[2:])))}")
    write(f"kubectl         {KUBECTL or 'none: no manifest was rendered or validated'}")
    write(f"skipped         {sum(skipped.values())}")
    write(f"time            {time.monotonic() - STARTED:.0f} s")
