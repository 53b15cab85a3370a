"""Throughput, CPU time and memory of a generated worker, relative to an application with Celery's defaults.

The runs of the two applications alternate on private servers, and each ratio is the median of the pairs. Load on the
machine distorts the throughput, but hardly CPU time and memory. This requires Linux, redis-server and rabbitmq-server.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from cookiecutter.main import cookiecutter

from benchmarks.bake import discard_stderr
from tests.support.brokers import run_rabbitmq, run_redis
from tests.support.environments import find_uv, install
from tests.support.project import BakedProject

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.support.environments import Environment

ROOT = Path(__file__).resolve().parents[1]
APPS = Path(__file__).with_name("apps")
BROKERS, POOLS = ("redis", "rabbitmq"), ("prefork", "threads")
CONCURRENCY = 2
TICKS = os.sysconf("SC_CLK_TCK")

FIGURES = (
    "publish, tasks/s",
    "publish, tasks/s of CPU time",
    "drain, tasks/s",
    "CPU time, ms/task",
    "memory (PSS), MiB",
)


@dataclass(frozen=True)
class App:
    """An application: the argument of `celery -A`, and the modules for the publisher."""

    name: str
    module: str
    tasks: str
    queue: str
    guarantees: str = ""


@dataclass(frozen=True)
class Bench:
    """A server, and the environment of a project in which both applications run."""

    project: BakedProject
    environment: Environment
    pool: str
    tasks: int
    new_url: Callable[[], str]
    variables: Mapping[str, str] = field(default_factory=dict)

    def publish(self, app: App, folder: Path, variables: dict[str, str]) -> list[float]:
        """Publish all tasks. Return the throughput per second and per second of CPU time."""
        program = [self.environment.python, str(APPS / "publish.py")]
        command = [*program, app.module, app.tasks, str(self.tasks), str(folder)]
        completed = subprocess.run(command, env=variables, check=True, capture_output=True, text=True)
        return [float(word) for word in completed.stdout.split()]

    def measure(self, app: App) -> dict[str, float]:
        """Publish all tasks, then measure a worker that drains the queue."""
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            variables = self.project.variables(
                self.environment,
                {
                    "CELERY_BROKER_URL": self.new_url(),
                    "CELERY_RESULT_BACKEND": "cache+memory://",
                    "GUARANTEES": app.guarantees,
                    "PYTHONPATH": str(APPS),
                    **self.variables,
                },
            )
            wall, used = self.publish(app, folder, variables)
            command = [str(self.environment.bin / "celery"), "-q", "-A", app.module, "worker", "-Q", app.queue]
            command += ["-c", str(CONCURRENCY), "-P", self.pool]
            with run_worker(command, folder, variables) as worker:
                first = wait_for_mark(folder / "first", worker)
                before = get_cpu_seconds(worker.pid)
                last = wait_for_mark(folder / "last", worker)
                after = get_cpu_seconds(worker.pid)
                memory = measure_memory(worker.pid)
        drained = self.tasks / (last - first)
        return dict(zip(FIGURES, (wall, used, drained, (after - before) / self.tasks * 1000, memory), strict=True))


@contextlib.contextmanager
def run_worker(command: list[str], folder: Path, variables: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a worker in a separate session, with its log in a file."""
    with (folder / "log").open("wb") as log:
        worker = subprocess.Popen(command, cwd=folder, env=variables, stdout=log, stderr=log, start_new_session=True)
    try:
        yield worker
    finally:
        os.killpg(worker.pid, 9)
        worker.wait()


def wait_for_mark(file: Path, worker: subprocess.Popen[bytes]) -> float:
    """Wait until a task has written a file. Return the time in it.

    Raises:
        RuntimeError: The worker exited.
    """
    while not (file.exists() and (text := file.read_text(encoding="utf-8"))):
        if worker.poll() is not None:
            raise RuntimeError((file.parent / "log").read_text(encoding="utf-8"))
        time.sleep(0.005)
    return float(text)


def read_session(leader: int) -> Iterator[list[str]]:
    """Yield the PID and the fields of /proc/PID/stat after the name of each process in a session (see proc(5))."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            pid, rest = stat.parent.name, stat.read_text().rpartition(") ")[2].split()
            if int(rest[3]) == leader:
                yield [pid, *rest]


def get_cpu_seconds(leader: int) -> float:
    """Return the CPU seconds of a worker's processes, including exited ones."""
    ticks = 0
    for pid, *fields in read_session(leader):
        ticks += sum(map(int, fields[11:15] if int(pid) == leader else fields[11:13]))
    return ticks / TICKS


def measure_memory(leader: int) -> float:
    """Return the memory of a worker's processes in MiB. Shared memory counts once."""
    kilobytes = 0
    for pid, *_ in read_session(leader):
        rollup = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8")
        kilobytes += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))
    return kilobytes / 1024


def bake_project(broker: str, pool: str, folder: Path, **others: str) -> tuple[BakedProject, Environment]:
    """Bake and install a project with one queue and the tasks of the benchmark. The other answers have defaults."""
    answers = {"broker": broker, "queues": f"default:{CONCURRENCY}@{pool}".removesuffix("@prefork"), **others}
    with discard_stderr():
        path = Path(cookiecutter(str(ROOT), no_input=True, extra_context=answers, output_dir=str(folder)))
    project = BakedProject(path, answers)
    module = project.package / "tasks" / "default.py"
    module.write_text(module.read_text(encoding="utf-8") + (APPS / "tiny.py").read_text(encoding="utf-8"), "utf-8")
    environment = install(project, folder / "shared")
    without_tools = {"UV_PROJECT_ENVIRONMENT": str(environment.path)}
    project.run(find_uv(), "sync", "--quiet", "--frozen", "--no-dev", variables=without_tools)  # as the Dockerfile does
    return project, environment


def measure_pairs(bench: Bench, broker: str, pairs: int) -> Iterator[str]:
    """Measure all pairs of runs for a broker and a pool. Yield the lines of the table."""
    slug = bench.project.slug
    generated = App("generated", f"{slug}.celery_app", f"{slug}.tasks.default", "default")
    apps = [
        App("defaults", "defaults", "tiny", "celery"),
        App("defaults with the same guarantees", "defaults", "tiny", "celery", guarantees=broker),
        generated,
    ]
    runs: dict[App, list[dict[str, float]]] = {app: [] for app in apps}
    for number in range(pairs):
        for app in apps if number % 2 else reversed(apps):
            runs[app].append(bench.measure(app))
    for baseline in apps[:-1]:
        for figure in FIGURES:
            baseline_values, values = ([run[figure] for run in runs[app]] for app in (baseline, generated))
            ratios = [value / base for value, base in zip(values, baseline_values, strict=True)]
            spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
            medians = " | ".join(
                f"{median:.3g}" if median < 100 else f"{median:.0f}"
                for median in map(statistics.median, (baseline_values, values))
            )
            yield (
                f"| {broker} | {bench.pool} | {baseline.name} | {figure} | {medians} "
                f"| **{statistics.median(ratios):.2f}** | {spread} |"
            )


def main(words: Sequence[str] | None = None) -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5, help="pairs of runs (default: 5)")
    parser.add_argument("--tasks", type=int, default=4000, help="tasks of a run (default: 4000)")
    parser.add_argument("--brokers", nargs="+", choices=BROKERS, default=BROKERS)
    parser.add_argument("--pools", nargs="+", choices=POOLS, default=POOLS)
    arguments = parser.parse_args(words)
    print("| broker | pool | baseline | figure | baseline value | generated | ratio | pairs |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory(prefix="celery-template-bench-") as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        for broker in arguments.brokers:
            new_url = (
                stack.enter_context(run_redis(folder / broker / "server")).new_database
                if broker == "redis"
                else stack.enter_context(run_rabbitmq(folder / broker / "server")).new_vhost
            )
            for pool in arguments.pools:
                project, environment = bake_project(broker, pool, folder / broker / pool)
                bench = Bench(project, environment, pool, arguments.tasks, new_url)
                for row in measure_pairs(bench, broker, arguments.pairs):
                    print(row, flush=True)


if __name__ == "__main__":
    main()
