"""The configuration of the app `outbox`."""

from django.apps import AppConfig


class OutboxConfig(AppConfig):
    """The app `outbox`."""

    name = "{{ cookiecutter.project_slug }}.outbox"
