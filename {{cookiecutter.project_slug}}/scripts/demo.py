"""Run this project on an embedded broker: a worker for each queue, beat, and a table of the tasks that ran.

The script publishes `ping` to each queue, and beat publishes each periodic task every two seconds instead of on its
schedule. The exit status is 1 if a task failed, did not run, or ran on the worker of another queue.
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
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.live import Live
from rich.table import Table

from embedded import embedded_broker

APP = "{{ cookiecutter.project_slug }}.celery_app"
TASKS = "{{ cookiecutter.project_slug }}.tasks."
PING = TASKS + "{{ plan().default_queue.module }}.ping"
TIMEOUT = 90.0
"""Seconds after which the demonstration fails."""
GRACE = 15.0
"""Seconds between SIGTERM and SIGKILL."""


class FastScheduler(Scheduler):
    """A scheduler with the project's periodic tasks, each due every two seconds."""

    def setup_schedule(self) -> None:
        """Replace the schedule of each entry of the settings."""
        entries: dict[str, Any] = self.app.conf.beat_schedule
        self.merge_inplace({key: entry | {"schedule": timedelta(seconds=2)} for key, entry in entries.items()})


@dataclass
class Row:
    """A task that should run: its sender, its queue, and its state."""

    sender: str
    task: str
    queue: str
    state: str = "pending"
    worker: str = ""
    seconds: float | None = None

    @property
    def done(self) -> bool:
        """Return whether it succeeded on the worker of its queue."""
        return self.state == "succeeded" and self.worker == self.queue


@dataclass
class Demonstration:
    """The expected tasks, updated by the events of the workers."""

    queues: list[str]
    rows: list[Row]
    online: set[str] = field(default_factory=set)
    running: dict[str, Row] = field(default_factory=dict)

    def table(self) -> Table:
        """Return the rows as a table, which fits 80 columns: a longer name continues on the next line."""
        table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for header in ("sender", "task", "queue", "worker", "state"):
            table.add_column(header, overflow="fold")
        table.add_column("ms", justify="right", no_wrap=True)
        for row in self.rows:
            runtime = "" if row.seconds is None else f"{row.seconds * 1000:.1f}"
            table.add_row(row.sender, row.task.removeprefix(TASKS), row.queue, row.worker, row.state, runtime)
        return table

    def handle(self, event: dict[str, Any]) -> None:
        """Update the rows from an event of a worker."""
        kind, worker = event["type"], event["hostname"].partition("@")[0]
        if kind == "worker-online":
            self.online.add(worker)
        elif kind == "task-received":
            pending = [row for row in self.rows if row.task == event["name"] and not row.worker]
            routed = [row for row in pending if row.queue == worker]
            for row in (routed or pending)[:1]:
                row.worker, row.state = worker, "received"
                self.running[event["uuid"]] = row
        elif kind.startswith("task-") and (known := self.running.get(event["uuid"])):
            known.state = kind.removeprefix("task-")
            known.seconds = event.get("runtime")


def start_celery(*arguments: str, environment: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    """Start a Celery process that writes to a log file."""
    with log.open("ab") as output:
        command = [sys.executable, "-m", "celery", "-A", APP, *arguments]
        return subprocess.Popen(command, env=environment, stdout=output, stderr=output)


def stop(processes: list[subprocess.Popen[bytes]]) -> None:
    """Send SIGTERM to all processes, and SIGKILL to those that do not exit within `GRACE` seconds."""
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
        from {{ cookiecutter.project_slug }}.commands import plural

        periodic = [Row("beat", entry["task"], entry["options"]["queue"]) for entry in app.conf.beat_schedule.values()]
        queues = [queue.name for queue in app.conf.task_queues]
        demonstration = Demonstration(queues, [Row("script", PING, queue) for queue in queues] + periodic)
        console.print("Broker: an embedded Valkey (in production: {{ plan().broker.label }})")

        running: list[subprocess.Popen[bytes]] = []
        stack.callback(stop, running)

        def process(name: str, *arguments: str) -> None:
            running.append(start_celery(*arguments, environment=environment, log=scratch / name))

        for queue in queues:
            process(queue, "worker", "-Q", queue, "-n", f"{queue}@%h", "-c", "2", "-P", "threads", "-E")
        if periodic:
            process("beat", "beat", "-S", "demo:FastScheduler")
        complete = run_tasks(app, demonstration, console, deadline=started + TIMEOUT)
        if not complete:
            for log in sorted(scratch.iterdir()):
                console.print(f"--- {log.name}: last lines of the log", *log.read_text().splitlines()[-15:], sep="\n")
    console.print()
    count = sum(row.done for row in demonstration.rows)
    console.print(
        f"{count} of {plural(len(demonstration.rows), 'task')} succeeded on the workers of {plural(len(queues), 'queue')}"
        f" in {time.monotonic() - started:.1f} s."
    )
    return 0 if complete else 1


def run_tasks(app: Celery, demonstration: Demonstration, console: Console, deadline: float) -> bool:
    """Publish the tasks when all workers are online; return whether all succeeded before the deadline."""
    sent = False
    with ExitStack() as stack:
        receiver = app.events.Receiver(
            stack.enter_context(app.connection_for_read()), handlers={"*": demonstration.handle}
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
