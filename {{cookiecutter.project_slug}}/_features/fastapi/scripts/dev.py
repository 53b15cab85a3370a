"""Run the API and one worker for all queues. Both restart when a source file changes.

The broker is that of `CELERY_BROKER_URL`, or an embedded one if the variable is not set. The script prints the API key.
"""

import os
import subprocess
{% if plan().features.outbox %}
import sys
{% endif %}
import tempfile
from contextlib import ExitStack
from pathlib import Path

import watchfiles

from embedded import embedded_broker

CODE = Path(__file__).resolve().parent.parent / "src"
API = "uvicorn --factory {{ cookiecutter.project_slug }}.api:create_app --no-access-log --reload --reload-dir"
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
        os.environ.setdefault("API_DOCS", "true")
        os.environ.setdefault("API_KEY", "for development and tests only")
        print(f"API: http://127.0.0.1:8000/docs (header X-API-Key: {os.environ['API_KEY']})")
        scratch = stack.enter_context(tempfile.TemporaryDirectory())
        os.chdir(scratch)  # beat writes its schedule file to the current directory
        api = stack.enter_context(subprocess.Popen([*API.split(), str(CODE)]))
        stack.callback(api.terminate)
{% if plan().features.outbox %}
        relay = stack.enter_context(subprocess.Popen([sys.executable, "-m", "{{ cookiecutter.project_slug }}.outbox"]))
        stack.callback(relay.terminate)
{% endif %}
        watchfiles.run_process(CODE, target=WORKER, target_type="command")


if __name__ == "__main__":
    main()
