"""How long a bake takes: against an empty template, and as queues and jobs grow.

Times are seconds of the processor, children included. Each is the shortest of several runs, since a busy machine can
only add to it, and the two sides of a ratio take turns.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from cookiecutter.main import cookiecutter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

ROOT = Path(__file__).resolve().parents[1]

MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108
"""Where projects are baked: how long a disk takes to make a hundred files depends on the disk."""


def empty_template(folder: Path) -> Path:
    """A template with one question and one empty file: what Cookiecutter itself costs."""
    template = folder / "empty"
    project = template / "{{cookiecutter.project_slug}}"
    project.mkdir(parents=True)
    (template / "cookiecutter.json").write_text(json.dumps({"project_slug": "empty"}), encoding="utf-8")
    (project / "README.md").touch()
    return template


def processor_seconds() -> float:
    """What this process and its ended children have used so far."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def seconds(work: Callable[[], object]) -> float:
    """How long one call takes."""
    started = processor_seconds()
    work()
    return processor_seconds() - started


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Discard what this process and its children print to stderr, where the hook prints its summary."""
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        sys.stderr.flush()
        os.dup2(kept, 2)
        os.close(kept)


def bake_here(template: Path, answers: Mapping[str, str] | None = None) -> None:
    """Bake with Cookiecutter's own function, into a folder that is thrown away."""
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder, silence():
        cookiecutter(str(template), no_input=True, extra_context=dict(answers or {}), output_dir=folder)


def bake_by_command(template: Path) -> None:
    """Bake with the command that people type.

    Raises:
        subprocess.CalledProcessError: it failed.
    """
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        command = [sys.executable, "-m", "cookiecutter", "--no-input", "--output-dir", folder, str(template)]
        subprocess.run(command, check=True, capture_output=True, cwd=folder)


def against_empty(bake: Callable[[Path], None], runs: int) -> tuple[float, float]:
    """Seconds of this template's bake and of an empty template's."""
    with tempfile.TemporaryDirectory() as folder:
        empty = empty_template(Path(folder))
        bake(ROOT)
        bake(empty)
        pairs = [(seconds(lambda: bake(ROOT)), seconds(lambda: bake(empty))) for _ in range(runs)]
    ours, theirs = zip(*pairs, strict=True)
    return min(ours), min(theirs)


def grown(jobs: int, queues: int, runs: int) -> float:
    """Seconds of a bake with this many beat jobs, spread over this many queues."""
    answers = {
        "queues": ", ".join(f"queue-{number}:2" for number in range(queues)),
        "beat_jobs": "; ".join(
            f"job-{number}({number}, label='x') = {number % 60} {number % 24} * * * -> queue-{number % queues}"
            for number in range(jobs)
        ),
    }
    return min(seconds(lambda: bake_here(ROOT, answers)) for _ in range(runs))


def main() -> None:
    """Print the ratios."""
    for name, bake in (("in one process", bake_here), ("by the command", bake_by_command)):
        ours, empty = against_empty(bake, runs=9)
        print(f"bake {name}: {ours:.3f} s, an empty template {empty:.3f} s: {ours / empty:.2f} times")
    baseline = grown(10, 2, runs=3)
    for jobs in (10, 100, 1000):
        taken = grown(jobs, jobs // 5, runs=3)
        print(f"{jobs} jobs on {jobs // 5} queues: {taken:.3f} s: {taken / baseline:.1f} times 10 jobs on 2")


if __name__ == "__main__":
    main()
