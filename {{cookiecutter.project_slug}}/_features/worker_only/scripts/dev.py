"""Run one worker for all queues, with beat in it, and restart it when a source file changes.

The broker is the one of `CELERY_BROKER_URL`, else an embedded one.
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
            print(f"An embedded broker listens at {os.environ['CELERY_BROKER_URL']} while this runs.")
        os.environ.setdefault("LOG_FORMAT", "console")
        scratch = stack.enter_context(tempfile.TemporaryDirectory())
        os.chdir(scratch)  # where beat keeps its schedule
        watchfiles.run_process(ROOT / "src", target=WORKER, target_type="command")


if __name__ == "__main__":
    main()
