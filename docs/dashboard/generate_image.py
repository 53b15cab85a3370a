"""`make dashboard-image`: generate docs/dashboard.png from a project with the default answers under load.

It runs a private Redis, a worker per queue, beat, the exporter, and Prometheus with the project's configuration.
draw.mjs renders the dashboard.
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
"""Minutes before the start of the image: the range of the rates in the dashboard."""
IMAGE_MINUTES = 16
"""Minutes in the image."""

TASK = '''

@shared_task(bind=True)
def {name}(self, seconds, failures):
    """Run for some seconds, and fail a number of times."""
    import time

    from {package}.errors import RetryableError

    time.sleep(seconds)
    if self.request.retries < failures:
        raise RetryableError("the server is busy")
'''
TASKS = {"default": "resize_image", "high_priority": "send_receipt", "low_priority": "build_report"}


class MonitoredService(Service):
    """A service whose processes serve their metrics at the addresses in `targets.yaml`."""

    @property
    def monitoring(self) -> Path:
        """The folder of the configuration of Prometheus and Grafana."""
        return self.project.path / "deploy" / "monitoring"

    def start_target(self, name: str) -> Process:
        """Start a process by its name in `targets.yaml`."""
        targets = yaml.safe_load((self.monitoring / "targets.yaml").read_text(encoding="utf-8"))
        (address,) = next(each["targets"] for each in targets if each["labels"]["service"] == name)
        words = read_commands(self.project) | {"exporter": ["python", "-m", f"{self.project.slug}.exporter"]}
        command = words.get(name) or words[f"worker-{name}"]
        # beat's state is in the folder of the project instead of the path in the container.
        local = [word if not word.startswith("/") else str(self.project.path / "beat.db") for word in command]
        return self.start(local, name, METRICS_ADDRESS=address)

    def start_prometheus(self) -> str:
        """Start Prometheus with the targets of systemd on free ports. Return its URL."""
        targets = self.monitoring / "targets.yaml"
        targets.write_text(
            re.sub(r":9\d{3}\b", lambda _: f":{free_port()}", targets.read_text(encoding="utf-8")), encoding="utf-8"
        )
        configuration = yaml.safe_load((self.monitoring / "prometheus.yaml").read_text(encoding="utf-8"))
        (job,) = configuration["scrape_configs"]
        del job["dns_sd_configs"]
        job["file_sd_configs"] = [{"files": [targets.name]}]
        (self.monitoring / "local.yaml").write_text(yaml.safe_dump(configuration), encoding="utf-8")
        address = f"127.0.0.1:{free_port()}"
        options = (f"--storage.tsdb.path={self.project.path / 'prometheus'}", f"--web.listen-address={address}")
        self.start(["prometheus", f"--config.file={self.monitoring / 'local.yaml'}", *options], "prometheus")
        return f"http://{address}"


def bake(folder: Path) -> BakedProject:
    """Bake a project with the default answers, and add a task to each queue."""
    path = Path(cookiecutter(str(ROOT), no_input=True, output_dir=str(folder)))
    project = BakedProject(path, {})
    for queue, name in TASKS.items():
        module = project.package / "tasks" / f"{queue}.py"
        text = module.read_text(encoding="utf-8")
        if "import shared_task" not in text:
            text += "\nfrom celery import shared_task\n"
        module.write_text(text + TASK.format(name=name, package=project.slug), encoding="utf-8")
    return project


def run(service: MonitoredService) -> None:
    """Run the service with a peak load, a worker that stops for two minutes, and beat that stops while a job is due."""
    service.start_target("exporter")
    running = {name: service.start_target(name) for name in (*TASKS, "beat")}
    for queue in TASKS:
        running[queue].wait_for_line(" ready.", 60)
    started = time.monotonic()
    end = WARM_UP + IMAGE_MINUTES
    service.start(["python", str(HERE / "load.py"), service.project.slug, str(end)], "load")

    def wait_until(minute: float) -> None:
        remaining = started + 60 * minute - time.monotonic()
        print(f"{remaining:.0f} s until minute {minute:g} of {end}", flush=True)
        time.sleep(max(0, remaining))

    for name, stop, start in (("beat", 9, 11.5), ("low_priority", 14, 16)):
        wait_until(stop)
        running[name].terminate()
        running[name].wait(60)
        wait_until(start)
        running[name] = service.start_target(name)
    wait_until(end)


def draw(dashboard: Path, prometheus: str, chromium: str) -> None:
    """Render the last minutes of a dashboard with Grafana's components."""
    command = ["node", "draw.mjs", str(dashboard), prometheus, str(IMAGE_MINUTES), str(HERE.parent / "dashboard.png")]
    subprocess.run(command, cwd=HERE, check=True, env=os.environ | {"CHROMIUM": chromium})


def main() -> int:
    """Bake a project, run it and render the image.

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
    with tempfile.TemporaryDirectory(prefix="celery-template-dashboard-") as name:
        folder = Path(name)
        project = bake(folder)
        environment = install(project, folder / "shared")
        with run_redis(folder / "redis") as redis_server:
            variables = {
                "CELERY_BROKER_URL": redis_server.new_database(),
                "CELERY_RESULT_BACKEND": redis_server.new_database(),
            }
            with MonitoredService(project, environment, variables) as service:
                prometheus = service.start_prometheus()
                run(service)
                draw(service.monitoring / "grafana" / "dashboards" / "queues.json", prometheus, chromium)
    return 0


if __name__ == "__main__":
    sys.exit(main())
