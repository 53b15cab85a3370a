"""The cost of a bake, relative to an empty template and to a smaller number of queues and jobs.

Times are CPU seconds including child processes. Each is the minimum of several runs, because other load only increases
it. The runs of the two sides of a ratio alternate. Tests limit the number of function calls instead, because it does
not depend on the machine and its load.
"""

from __future__ import annotations

import contextlib
import cProfile
import json
import os
import resource
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from cookiecutter.main import cookiecutter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).resolve().parents[1]

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
"""The directory for projects. A RAM disk excludes the speed of the disk from the results."""


def create_empty_template(folder: Path) -> Path:
    """Create a template with one question and one empty file. It measures Cookiecutter itself."""
    template = folder / "empty"
    project = template / "{{cookiecutter.project_slug}}"
    project.mkdir(parents=True)
    (template / "cookiecutter.json").write_text(json.dumps({"project_slug": "empty"}), encoding="utf-8")
    (project / "README.md").touch()
    return template


def get_cpu_seconds() -> float:
    """Return the CPU seconds of this process and its finished child processes."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def measure_cpu_seconds(work: Callable[[], object]) -> float:
    """Return the CPU seconds of one call."""
    started = get_cpu_seconds()
    work()
    return get_cpu_seconds() - started


@contextlib.contextmanager
def discard_stderr() -> Iterator[None]:
    """Discard the output to stderr of this process and its child processes, such as the summary of the hook."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with Path(os.devnull).open("w") as null:
        os.dup2(null.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(stderr, 2)
        os.close(stderr)


def bake_in_process(answers: Mapping[str, str] | None = None) -> None:
    """Bake this template with Cookiecutter's Python function into a temporary directory."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder, discard_stderr():
        cookiecutter(str(ROOT), no_input=True, extra_context=dict(answers or {}), output_dir=folder)


def bake_with_command(template: Path) -> None:
    """Bake with the `cookiecutter` command.

    Raises:
        subprocess.CalledProcessError: The command failed.
    """
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        command = [sys.executable, "-m", "cookiecutter", "--no-input", "--output-dir", folder, str(template)]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)


def compare_with_empty_template(runs: int) -> tuple[float, float]:
    """Return the CPU seconds of the `cookiecutter` command for this template and for an empty one."""
    with tempfile.TemporaryDirectory() as folder:
        empty = create_empty_template(Path(folder))
        bake_with_command(ROOT)
        bake_with_command(empty)
        pairs = [
            [measure_cpu_seconds(partial(bake_with_command, template)) for template in (ROOT, empty)]
            for _ in range(runs)
        ]
    seconds, empty_seconds = zip(*pairs, strict=True)
    return min(seconds), min(empty_seconds)


def count_calls(answers: Mapping[str, str] | None = None) -> int:
    """Return the number of function calls in this process of a bake, without those of imports."""
    bake_in_process()
    profile = cProfile.Profile()
    profile.runcall(bake_in_process, answers)
    return sum(entry.callcount for entry in profile.getstats())


def make_answers(jobs: int, queues: int) -> dict[str, str]:
    """Return answers with a number of beat jobs and queues."""
    return {
        "queues": ", ".join(f"queue-{number}:2" for number in range(queues)),
        "beat_jobs": "; ".join(
            f"job-{number}({number}, label='x') = {number % 60} {number % 24} * * * -> queue-{number % queues}"
            for number in range(jobs)
        ),
    }


def measure_bake(jobs: int, queues: int, runs: int) -> float:
    """Return the CPU seconds of a bake with a number of beat jobs and queues."""
    answers = make_answers(jobs, queues)
    return min(measure_cpu_seconds(lambda: bake_in_process(answers)) for _ in range(runs))


def main() -> None:
    """Print the numbers of function calls and the ratios of times."""
    print(f"function calls: {count_calls():,}, with Django {count_calls({'framework': 'django'}):,}")
    seconds, empty = compare_with_empty_template(runs=9)
    print(f"bake: {seconds:.3f} s, empty template: {empty:.3f} s, ratio {seconds / empty:.2f}")
    baseline = measure_bake(10, 2, runs=3)
    for jobs in (10, 100, 1000):
        seconds = measure_bake(jobs, jobs // 5, runs=3)
        print(
            f"{jobs} jobs on {jobs // 5} queues: {seconds:.3f} s, ratio to 10 jobs on 2 queues {seconds / baseline:.1f}"
        )


if __name__ == "__main__":
    main()
