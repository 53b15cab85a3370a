"""`make demo`: generate a project, and run `make demo` in it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from cookiecutter.main import cookiecutter

ROOT = Path(__file__).resolve().parents[2]

# Four queues with two pools, and four jobs with different kinds of schedules.
ANSWERS = {
    "project_name": "Parcel Service",
    "queues": "emails:4, reports:2, thumbnails:4@threads, webhooks:8@threads",
    "beat_jobs": (
        "cleanup = 0 3 * * * -> reports; health-check = every 10m -> webhooks; "
        "digest('weekly', limit=100) = @weekly -> emails; night-mode = solar sunset 48.85 2.35 -> thumbnails"
    ),
}


def main() -> int:
    """Generate the project in a temporary folder and run its demo.

    Returns:
        The exit status of the project's `make demo`.
    """
    with tempfile.TemporaryDirectory(prefix="celery-template-demo-") as folder:
        print(f"Generating a project in {folder}", flush=True)
        project = cookiecutter(str(ROOT), no_input=True, extra_context=ANSWERS, output_dir=folder)
        # Without the environment of the template.
        variables = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
        return subprocess.run(
            ["make", "--no-print-directory", "demo"], cwd=project, env=variables, check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main())
