"""Run Django's development server and one worker for all queues. Both restart when a source file changes.

The broker is that of `CELERY_BROKER_URL`, or an embedded one if the variable is not set. The database is that of
`DATABASE_URL`, or the file `db.sqlite3`. To log in, create an account first: `uv run python manage.py createsuperuser`.
"""

import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import watchfiles

from embedded import MANAGE, embedded_broker, migrate

ROOT = Path(__file__).resolve().parent.parent
{% if plan().features.beat %}
WORKER = "celery -A {{ cookiecutter.project_slug }}.celery_app worker --loglevel INFO --concurrency 2 -B"
{% else %}
WORKER = "celery -A {{ cookiecutter.project_slug }}.celery_app worker --loglevel INFO --concurrency 2"
{% endif %}


def main() -> None:
    """Run until Ctrl+C."""
    os.environ.setdefault("DATABASE_URL", f"sqlite:///{ROOT / 'db.sqlite3'}")
    with ExitStack() as stack:
        if os.environ.get("CELERY_BROKER_URL"):
            os.environ.setdefault("DJANGO_SETTINGS_MODULE", "{{ cookiecutter.project_slug }}.settings.development")
            migrate(os.environ)
        else:
            os.environ.update(stack.enter_context(embedded_broker(os.environ["DATABASE_URL"])))
            print(f"Embedded broker: {os.environ['CELERY_BROKER_URL']}")
        web = stack.enter_context(subprocess.Popen([sys.executable, MANAGE, "runserver"]))
        stack.callback(web.terminate)
{% if plan().features.outbox %}
        relay = stack.enter_context(subprocess.Popen([sys.executable, MANAGE, "relay_outbox"]))
        stack.callback(relay.terminate)
{% endif %}
        scratch = stack.enter_context(tempfile.TemporaryDirectory())
        os.chdir(scratch)  # beat writes its state to the current directory
        watchfiles.run_process(ROOT / "src", target=WORKER, target_type="command")


if __name__ == "__main__":
    main()
