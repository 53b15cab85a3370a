"""The workers that answer."""

import time
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from {{ cookiecutter.project_slug }}.celery_app import app
from {{ cookiecutter.project_slug }}.doctor.checks import clock, skew_of
from {{ cookiecutter.project_slug }}.doctor.findings import Finding, failure, ok, warning
from {{ cookiecutter.project_slug }}.doctor.report import VERSION
from {{ cookiecutter.project_slug }}.health import MAX_AGE
from {{ cookiecutter.project_slug }}.queues import QueueName

WAIT = 2.0
"""Seconds after the last answer in which another may come; nobody knows how many there will be."""


@dataclass(frozen=True)
class Worker:
    """What a worker said of itself.

    Attributes:
        name: its name, "queue@host".
        queues: those that it takes from.
        version: of Celery and of the code.
        skew: seconds by which its clock is ahead of ours.
        watched: whether somebody would notice that it hangs.
        heartbeat: the age of its heartbeat file in seconds; None if there is none.
    """

    name: str
    queues: Collection[str]
    version: str
    skew: float
    watched: bool
    heartbeat: float | None


def examine() -> Iterator[Finding]:
    """Ask all workers, and judge what they say."""
    workers = ask()
    yield consumers(workers)
    if workers:
        yield names(workers)
        yield versions(workers)
        yield worst_clock(workers)
        yield heartbeats(workers)


def ask() -> list[Worker]:
    """The workers that answer in time."""
    workers = []
    asked = time.time()

    def note(reply: dict[str, dict[str, Any]]) -> None:
        for name, said in reply.items():
            skew = skew_of(said.pop("time"), asked, time.time())
            workers.append(Worker(name=name, skew=skew, **said))

    app.control.broadcast("checkup", reply=True, timeout=WAIT, callback=note)
    return workers


def consumers(workers: Sequence[Worker]) -> Finding:
    """Whether somebody takes from every queue."""
    taken = {queue for worker in workers for queue in worker.queues}
    if idle := [queue.value for queue in QueueName if queue.value not in taken]:
        advice = f"start one, as compose.yaml does: celery -A {app.main}.celery_app worker -Q {idle[0]} -n {idle[0]}@%h"
        return failure("workers", f"none answers that takes from {', '.join(idle)}", advice)
    return ok("workers", f"every queue has one; {len(workers)} answer")


def names(workers: Sequence[Worker]) -> Finding:
    """Whether workers can be told apart."""
    twice = [name for name, number in Counter(worker.name for worker in workers).items() if number > 1]
    if twice:
        what = f"several workers are called {', '.join(twice)}"
        return failure("names", what, "give each a name of its own: -n NAME@%h")
    return ok("names", "no two workers have the same")


def versions(workers: Sequence[Worker]) -> Finding:
    """Whether all workers run the same Celery and the same code, and that is what is here."""
    found: dict[str, list[str]] = {}
    for worker in workers:
        found.setdefault(worker.version, []).append(worker.name)
    what = "; ".join(f"{version}: {', '.join(names)}" for version, names in sorted(found.items()))
    if len(found) > 1:
        return failure("versions", what, "finish the deployment: an old worker may not know a new task")
    if VERSION not in found:
        return warning("versions", what, f"here it is {VERSION}: deploy that, or run the doctor where the workers run")
    return ok("versions", f"all workers run {VERSION}")


def worst_clock(workers: Sequence[Worker]) -> Finding:
    """Whether the workers' clocks agree with ours."""
    worker = max(workers, key=lambda worker: abs(worker.skew))
    return clock(worker.name, worker.skew)


def heartbeats(workers: Sequence[Worker]) -> Finding:
    """Whether somebody would notice that a worker hangs: a supervisor that looks at its heartbeat."""
    if old := [worker.name for worker in workers if worker.heartbeat is not None and worker.heartbeat > MAX_AGE]:
        what = f"the file of {', '.join(old)} is old"
        return failure("heartbeats", what, "can it be written, or is the disk full? Else restart the worker")
    if alone := [worker.name for worker in workers if not worker.watched]:
        advice = "set HEARTBEAT_FILE, and let a health check run python -m {{ cookiecutter.project_slug }}.health"
        return warning("heartbeats", f"nobody would notice that {', '.join(alone)} hangs", advice)
    return ok("heartbeats", "all workers show that they are alive")
