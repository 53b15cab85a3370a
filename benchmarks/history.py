"""The CPU time of the extra `history`: of recording a run and storing it, and of a worker with it and without it.

The runs of the two projects alternate on a private Redis and PostgreSQL. This requires Linux, redis-server and
postgresql. CPU time does not include that of the database server.
"""

from __future__ import annotations

import argparse
import contextlib
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.worker import APPS, FIGURES, POOLS, App, Bench, bake_project
from tests.support.brokers import run_redis
from tests.support.postgres import Postgres, run_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

FRAMEWORKS = ("none", "django")


@dataclass(frozen=True)
class Setup:
    """The servers of all runs, the folder of the projects, and the number of tasks of a run."""

    new_url: Callable[[], str]
    postgres: Postgres
    folder: Path
    tasks: int


def make_bench(setup: Setup, framework: str, pool: str, extras: str) -> Bench:
    """Bake a project and create its database."""
    answers = {"framework": framework, "result_backend": "database", "extras": extras, "beat_jobs": ""}
    project, environment = bake_project("redis", pool, setup.folder / framework / pool / extras, **answers)
    url = setup.postgres.new_database()
    if framework == "none":
        variables = {"CELERY_RESULT_BACKEND": f"db+{url}"}
        return Bench(project, environment, pool, setup.tasks, setup.new_url, variables)
    variables = {
        "DATABASE_URL": url.replace("+psycopg", ""),
        "DJANGO_SETTINGS_MODULE": f"{project.slug}.settings.development",
        "LOG_FORMAT": "json",
    }
    project.run("python", "manage.py", "migrate", environment=environment, variables=variables)
    return Bench(project, environment, pool, setup.tasks, setup.new_url, variables)


def measure_steps(framework: str, bench: Bench) -> str:
    """Measure the recording of a run, and its insert in batches of several sizes. Return the line of the table."""
    variables = {"CELERY_BROKER_URL": "memory://", "CELERY_RESULT_BACKEND": "cache+memory://", **bench.variables}
    command = ("python", str(APPS / "record.py"), bench.project.slug)
    completed = bench.project.run(*command, environment=bench.environment, variables=variables)
    return f"| {framework} | {' | '.join(f'{float(figure):.0f}' for figure in completed.stdout.split())} |"


def measure_pairs(framework: str, without: Bench, recorded: Bench, pairs: int) -> Iterator[str]:
    """Measure all pairs of runs. Yield the lines of the table."""
    slug = without.project.slug
    app = App(framework, f"{slug}.celery_app", f"{slug}.tasks.default", "default")
    runs = [(without.measure(app), recorded.measure(app)) for _ in range(pairs)]
    for figure in FIGURES[2:]:
        firsts, seconds = [first[figure] for first, _ in runs], [second[figure] for _, second in runs]
        ratios = [second / first for first, second in zip(firsts, seconds, strict=True)]
        medians = " | ".join(f"{statistics.median(values):.4g}" for values in (firsts, seconds))
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        yield (
            f"| {framework} | {without.pool} | {figure} | {medians} | **{statistics.median(ratios):.2f}** | {spread} |"
        )


def main(words: Sequence[str] | None = None) -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5, help="pairs of runs (default: 5)")
    parser.add_argument("--tasks", type=int, default=4000, help="tasks of a run (default: 4000)")
    parser.add_argument("--frameworks", nargs="+", choices=FRAMEWORKS, default=FRAMEWORKS)
    parser.add_argument("--pools", nargs="+", choices=POOLS, default=POOLS)
    arguments = parser.parse_args(words)
    with tempfile.TemporaryDirectory(prefix="celery-template-bench-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        redis, postgres = stack.enter_context(run_redis(folder / "redis")), stack.enter_context(run_postgres())
        setup = Setup(redis.new_database, postgres, folder, arguments.tasks)
        print("| framework | record, µs | insert of 500, µs/run | insert of 50, µs/run | insert of 1, µs/run |")
        print("|---|---|---|---|---|", flush=True)
        benches = [
            (framework, *(make_bench(setup, framework, pool, extras) for extras in ("none", "history")))
            for framework in arguments.frameworks
            for pool in arguments.pools
        ]
        for framework, _, recorded in benches[:: len(arguments.pools)]:
            print(measure_steps(framework, recorded), flush=True)
        if arguments.pairs:
            print("\n| framework | pool | figure | without | with history | ratio | pairs |")
            print("|---|---|---|---|---|---|---|", flush=True)
            for framework, without, recorded in benches:
                for row in measure_pairs(framework, without, recorded, arguments.pairs):
                    print(row, flush=True)


if __name__ == "__main__":
    main()
