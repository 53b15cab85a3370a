"""Run one worker for all queues, and restart it when a source file changes.

The broker is that of `CELERY_BROKER_URL`, or an embedded one if the variable is not set.
"""

import os
import tempfile
from contextlib import ExitStack
from pathlib import Path

import watchfiles

from embedded import embedded_broker

ROOT = Path(__file__).resolve().parent.parent
{% if plan().features.beat %}
WORKER = "celery -A {{ cookiecutter.project_slug }}.celery_app worker --loglevel INFO --concurrency 2 -B"
{% else %}
WORKER = "celery -A {{ cookiecutter.project_slug }}.celery_app worker --loglevel INFO --concurrency 2"
{% endif %}


def main() -> None:
    """Run until Ctrl+C."""
    with ExitStack() as stack:
        if not os.environ.get("CELERY_BROKER_URL"):
            os.environ.update(stack.enter_context(embedded_broker()))
            print(f"Embedded broker: {os.environ['CELERY_BROKER_URL']}")
        os.environ.setdefault("LOG_FORMAT", "console")
        scratch = stack.enter_context(tempfile.TemporaryDirectory())
        os.chdir(scratch)  # beat writes its schedule file to the current directory
        watchfiles.run_process(ROOT / "src", target=WORKER, target_type="command")


if __name__ == "__main__":
    main()
