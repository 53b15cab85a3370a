"""`make picture`: docs/dashboard.png, the dashboard of a default project that ran under load for a quarter of an hour.

Everything is real and private: a Redis, a worker for each queue, beat, the exporter, and a Prometheus with the
project's own configuration. What draws is draw.mjs.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml
from cookiecutter.main import cookiecutter

from tests.live.service import Service, read_commands
from tests.support.brokers import run_redis
from tests.support.environments import install
from tests.support.processes import Process, free_port
from tests.support.project import BakedProject

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
WARM_UP = 5
"""Minutes before what is drawn begins: over as many the dashboard takes its rates."""
DRAWN = 16
"""Minutes that are drawn."""

TASK = '''

@shared_task(bind=True)
def {name}(self, seconds, failures):
    """Run for as long as told, and fail as often as told."""
    import time

    from {package}.errors import RetryableError

    time.sleep(seconds)
    if self.request.retries < failures:
        raise RetryableError("the other side is busy")
'''
TASKS = {"default": "resize_image", "high_priority": "send_receipt", "low_priority": "build_report"}


class Watched(Service):
    """A project whose processes serve their metrics where its `targets.yaml` says."""

    @property
    def monitoring(self) -> Path:
        """What its Prometheus and its Grafana are told."""
        return self.project.path / "deploy" / "monitoring"

    def begin(self, name: str) -> Process:
        """Start a process by its name in `targets.yaml`."""
        targets = yaml.safe_load((self.monitoring / "targets.yaml").read_text(encoding="utf-8"))
        (address,) = next(each["targets"] for each in targets if each["labels"]["service"] == name)
        words = read_commands(self.project) | {"exporter": ["python", "-m", f"{self.project.slug}.exporter"]}
        command = words.get(name) or words[f"worker-{name}"]
        # beat's state belongs into the project's copy, not where the container keeps it.
        local = [word if not word.startswith("/") else str(self.project.path / "beat.db") for word in command]
        return self.start(local, name, METRICS_ADDRESS=address)

    def watch(self) -> str:
        """Start a Prometheus that finds them as with systemd, but at ports that are free here; its URL is returned."""
        found = self.monitoring / "targets.yaml"
        found.write_text(
            re.sub(r":9\d{3}\b", lambda _: f":{free_port()}", found.read_text(encoding="utf-8")), encoding="utf-8"
        )
        configuration = yaml.safe_load((self.monitoring / "prometheus.yaml").read_text(encoding="utf-8"))
        (job,) = configuration["scrape_configs"]
        del job["dns_sd_configs"]
        job["file_sd_configs"] = [{"files": [found.name]}]
        (self.monitoring / "here.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
        address = f"127.0.0.1:{free_port()}"
        options = (f"--storage.tsdb.path={self.project.path / 'prometheus'}", f"--web.listen-address={address}")
        self.start(["prometheus", f"--config.file={self.monitoring / 'here.yaml'}", *options], "prometheus")
        return f"http://{address}"


def bake(folder: Path) -> BakedProject:
    """A project with the default answers, and a task on each queue that has something to do."""
    path = Path(cookiecutter(str(ROOT), no_input=True, output_dir=str(folder)))
    project = BakedProject(path, {})
    for queue, name in TASKS.items():
        module = project.package / "tasks" / f"{queue}.py"
        text = module.read_text(encoding="utf-8")
        if "import shared_task" not in text:
            text += "\nfrom celery import shared_task\n"
        module.write_text(text + TASK.format(name=name, package=project.slug), encoding="utf-8")
    return project


def run(service: Watched) -> None:
    """Let it work: there is a rush, a worker is away for two minutes, and beat is away when a job is due."""
    service.begin("exporter")
    running = {name: service.begin(name) for name in (*TASKS, "beat")}
    for queue in TASKS:
        running[queue].wait_for_line(" ready.", 60)
    started = time.monotonic()
    end = WARM_UP + DRAWN
    service.start(["python", str(HERE / "load.py"), service.project.slug, str(end)], "load")

    def until(minute: float) -> None:
        left = started + 60 * minute - time.monotonic()
        print(f"{left:.0f} s until minute {minute:g} of {end}", flush=True)
        time.sleep(max(0, left))

    for name, away, back in (("beat", 9, 11.5), ("low_priority", 14, 16)):
        until(away)
        running[name].terminate()
        running[name].wait(60)
        until(back)
        running[name] = service.begin(name)
    until(end)


def draw(dashboard: Path, prometheus: str, chromium: str) -> None:
    """Draw a dashboard's last minutes with Grafana's components."""
    command = ["node", "draw.mjs", str(dashboard), prometheus, str(DRAWN), str(HERE.parent / "dashboard.png")]
    subprocess.run(command, cwd=HERE, check=True, env=os.environ | {"CHROMIUM": chromium})


def main() -> int:
    """Bake, run, look and draw.

    Returns:
        0, or 1 if a program is missing.
    """
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    missing = [name for name in ("prometheus", "redis-server", "npm") if not shutil.which(name)]
    if missing or not chromium:
        missing += [] if chromium else ["chromium"]
        print(f"Not installed. On Debian or Ubuntu: sudo apt-get install {' '.join(missing)}", file=sys.stderr)
        return 1
    npm = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]
    subprocess.run(npm, cwd=HERE, check=True)
    with tempfile.TemporaryDirectory(prefix="celery-template-picture-") as name:
        folder = Path(name)
        project = bake(folder)
        environment = install(project, folder / "shared")
        with run_redis(folder / "redis") as redis_server:
            variables = {
                "CELERY_BROKER_URL": redis_server.new_database(),
                "CELERY_RESULT_BACKEND": redis_server.new_database(),
            }
            with Watched(project, environment, variables) as service:
                prometheus = service.watch()
                run(service)
                draw(service.monitoring / "grafana" / "dashboards" / "queues.json", prometheus, chromium)
    return 0


if __name__ == "__main__":
    sys.exit(main())
