"""Show this project at work: an embedded broker, a worker for each queue, beat, and a table of what ran where.

A `ping` is sent to every queue, and beat sends every job of the schedule within seconds instead of at its
hour. Exit status 1 if anything did not run, failed, or ran on another queue's worker.
"""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from celery import Celery
from celery.beat import Scheduler
from rich.console import Console
from rich.live import Live
from rich.table import Table

from embedded import embedded_broker

APP = "{{ cookiecutter.project_slug }}.celery_app"
TASKS = "{{ cookiecutter.project_slug }}.tasks."
PING = TASKS + "{{ plan().default_queue.module }}.ping"
TIMEOUT = 90.0
"""Seconds until what did not run is given up."""
GRACE = 15.0
"""Seconds in which processes may end by themselves."""


class HurriedScheduler(Scheduler):
    """Beat with every job due every two seconds: nobody waits for three o'clock to see a demonstration."""

    def setup_schedule(self) -> None:
        """Take over the jobs of the configuration, but not their hours."""
        jobs: dict[str, Any] = self.app.conf.beat_schedule
        self.merge_inplace({key: job | {"schedule": timedelta(seconds=2)} for key, job in jobs.items()})


@dataclass
class Row:
    """One task that is to run: who sends it, where it belongs, and what became of it."""

    sender: str
    task: str
    queue: str
    state: str = "waiting"
    worker: str = ""
    seconds: float | None = None

    @property
    def done(self) -> bool:
        """Whether it ran to its end on its own queue's worker."""
        return self.state == "succeeded" and self.worker == self.queue


@dataclass
class Demonstration:
    """What is expected, and what the workers' events say of it."""

    queues: list[str]
    rows: list[Row]
    online: set[str] = field(default_factory=set)
    running: dict[str, Row] = field(default_factory=dict)

    def table(self) -> Table:
        """The rows as a table."""
        table = Table("sent by", "task", "queue", "worker", "state", "ms")
        for row in self.rows:
            took = "" if row.seconds is None else f"{row.seconds * 1000:.1f}"
            table.add_row(row.sender, row.task.removeprefix(TASKS), row.queue, row.worker, row.state, took)
        return table

    def note(self, event: dict[str, Any]) -> None:
        """Take in an event of a worker."""
        kind, worker = event["type"], event["hostname"].partition("@")[0]
        if kind == "worker-online":
            self.online.add(worker)
        elif kind == "task-received":
            waiting = [row for row in self.rows if row.task == event["name"] and not row.worker]
            own = [row for row in waiting if row.queue == worker]
            for row in (own or waiting)[:1]:
                row.worker, row.state = worker, "received"
                self.running[event["uuid"]] = row
        elif kind.startswith("task-") and (known := self.running.get(event["uuid"])):
            known.state = kind.removeprefix("task-")
            known.seconds = event.get("runtime")


def celery(*arguments: str, environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """A Celery process that writes to a log file."""
    with log.open("ab") as output:
        command = [sys.executable, "-m", "celery", "-A", APP, *arguments]
        return subprocess.Popen(command, env=environment, stdout=output, stderr=output)


def stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """End all of them at the same time; those that do not end in time are killed."""
    for process in processes:
        process.terminate()
    deadline = time.monotonic() + GRACE
    for process in processes:
        try:
            process.wait(max(0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def main() -> int:
    """Run the demonstration and return its exit status."""
    started = time.monotonic()
    console = Console()
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        environment = stack.enter_context(embedded_broker())
        environment["PYTHONPATH"] = str(Path(__file__).parent)
        os.environ.update(environment)
        from {{ cookiecutter.project_slug }}.celery_app import app

        jobs = [Row("beat", job["task"], job["options"]["queue"]) for job in app.conf.beat_schedule.values()]
        queues = [queue.name for queue in app.conf.task_queues]
        demonstration = Demonstration(queues, [Row("this script", PING, queue) for queue in queues] + jobs)
        console.print("The broker of this demonstration is an embedded Valkey; in production it is {{ plan().broker.label }}.")

        running: list[subprocess.Popen[bytes]] = []
        stack.callback(stop, running)

        def process(name: str, *arguments: str) -> None:
            running.append(celery(*arguments, environment=environment, log=scratch / name))

        for queue in queues:
            process(queue, "worker", "-Q", queue, "-n", f"{queue}@%h", "-c", "2", "-P", "threads", "-E")
        if jobs:
            process("beat", "beat", "-S", "demo:HurriedScheduler")
        complete = watch(app, demonstration, console, deadline=started + TIMEOUT)
        if not complete:
            for log in sorted(scratch.iterdir()):
                console.print(f"--- {log.name}: the end of its log", *log.read_text().splitlines()[-15:], sep="\n")
    console.print()
    count = sum(row.done for row in demonstration.rows)
    console.print(
        f"{count} of {len(demonstration.rows)} tasks ran on their own queue's worker, {len(queues)} queues,"
        f" in {time.monotonic() - started:.1f} s."
    )
    return 0 if complete else 1


def watch(app: Celery, demonstration: Demonstration, console: Console, deadline: float) -> bool:
    """Show what the workers report until everything ran; whether it did before the deadline."""
    sent = False
    with ExitStack() as stack:
        receiver = app.events.Receiver(
            stack.enter_context(app.connection_for_read()), handlers={"*": demonstration.note}
        )
        connection, *_ = stack.enter_context(receiver.consumer_context())
        live = stack.enter_context(Live(demonstration.table(), console=console))
        while time.monotonic() < deadline:
            with suppress(TimeoutError):
                connection.drain_events(timeout=0.5)
            if not sent and demonstration.online >= set(demonstration.queues):
                sent = True
                for queue in demonstration.queues:
                    app.send_task(PING, queue=queue)
            live.update(demonstration.table())
            if all(row.done for row in demonstration.rows):
                return True
            if any(row.state == "failed" for row in demonstration.rows):
                return False
    return False


if __name__ == "__main__":
    sys.exit(main())
