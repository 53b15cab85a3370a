"""Publish the tasks of the outbox until the process is stopped: `python -m {{ cookiecutter.project_slug }}.outbox`."""

from {{ cookiecutter.project_slug }} import logs
from {{ cookiecutter.project_slug }}.outbox.relay import Relay

if __name__ == "__main__":
    logs.configure()
    Relay().run()
